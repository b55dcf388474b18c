import type { Down, Mark, Up } from '@waxwing/protocol';
import type { Told } from './liar.ts';

/**
 * One device's mailbox with made entries between the real ones: positions stay dense and ascend, and what the device
 * acknowledges is the relay's position again.
 */
export function createRenumbering(): { down(told: Told): Down; up(message: Up): Up } {
  let incarnation: string | undefined;
  /** Where made entries were put, as the device counts. */
  let made: number[] = [];
  /** Positions that the device was given, by the relay's. */
  let given = new Map<number, number>();
  let last = 0;

  function begin(of: string): void {
    if (of === incarnation) return;
    incarnation = of;
    made = [];
    given = new Map();
    last = 0;
  }

  function give(real: number): number {
    const number = given.get(real) ?? Math.max(real + made.length, last + 1);
    given.set(real, number);
    last = Math.max(last, number);
    return number;
  }

  const marks = (all: readonly Mark[]): Mark[] =>
    all.map((mark) => ({ ...mark, from: mark.from + made.length, to: mark.to + made.length }));

  return {
    down({ down, isMade }) {
      if (isMade) {
        if (down.type !== 'deliver') return down;
        last += 1;
        made.push(last);
        return { ...down, position: { incarnation: incarnation ?? down.position.incarnation, number: last } };
      }
      switch (down.type) {
        case 'ready':
          begin(down.incarnation);
          return { ...down, marks: marks(down.marks) };
        case 'mailbox_restarted':
          begin(down.incarnation);
          return down;
        case 'marks':
          return { ...down, marks: marks(down.marks) };
        case 'deliver':
          begin(down.position.incarnation);
          return { ...down, position: { ...down.position, number: give(down.position.number) } };
        default:
          return down;
      }
    },
    up(message) {
      if (message.type !== 'ack' && message.type !== 'heartbeat' && message.type !== 'authenticate') return message;
      const { committed } = message;
      if (committed === undefined || committed.incarnation !== incarnation) return message;
      const number = committed.number - made.filter((one) => one <= committed.number).length;
      return { ...message, committed: { ...committed, number } };
    },
  };
}
