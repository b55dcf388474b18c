import { decodeDownBatch, decodeUpBatch, encodeDownBatch, encodeUpBatch, type Down, type Up } from '@waxwing/protocol';
import type { Dial } from '@waxwing/client-core';
import type { Gateway } from '@waxwing/relay';

/** What stands between one client and the gateway: it may change, drop, keep or add what travels. */
export type ClientLink = {
  /** What the relay's messages become; all that passes is also in `downs`. */
  down: (message: Down) => readonly Down[];
  /** What the device's messages become; all that passes is also in `ups`. */
  up: (message: Up) => readonly Up[];
  /** While true, dialling fails. */
  offline: boolean;
  readonly downs: Down[];
  readonly ups: Up[];
  /** How often the device dialled. */
  readonly dials: number;
  /** Ends the connection as a broken network does, or with the relay's close code. What is on its way is lost. */
  cut(code?: number, reason?: string): void;
  /** Says something that the relay did not. */
  say(...messages: Down[]): void;
  readonly dial: Dial;
};

const same = <T>(message: T): readonly T[] => [message];

/** `gateway` is asked at each dial: it may be another one later. `work` holds the world's settling up while it runs. */
export function createClientLink(gateway: () => Gateway, work: (task: () => void) => void): ClientLink {
  let dials = 0;
  let cut: (code: number, reason: string) => void = () => undefined;
  let receive: (bytes: Uint8Array) => void = () => undefined;

  const link: ClientLink = {
    down: same,
    up: same,
    offline: false,
    downs: [],
    ups: [],
    get dials() {
      return dials;
    },
    cut: (code = 1006, reason = 'cut') => cut(code, reason),
    say: (...messages) => receive(encodeDownBatch(messages)),
    dial(_url, handlers) {
      dials += 1;
      let isOver = false;
      const end = (code: number, reason: string): void => {
        if (isOver) return;
        isOver = true;
        work(() => {
          handlers.closed({ code, reason });
          ended();
        });
      };
      let ended = (): void => undefined;
      const toDevice = (bytes: Uint8Array): void => {
        work(() => {
          if (isOver) return;
          const messages = decodeDownBatch(bytes).flatMap((message) => link.down(message));
          link.downs.push(...messages);
          if (messages.length > 0) handlers.received(encodeDownBatch(messages));
        });
      };
      if (link.offline) {
        end(1006, 'offline');
        return { send: () => undefined, bufferedBytes: 0, close: () => undefined };
      }
      cut = end;
      receive = (bytes) => work(() => !isOver && handlers.received(bytes));
      const listener = gateway().connect({
        form: 'binary',
        send: toDevice,
        bufferedBytes: () => 0,
        close: (code, reason) => work(() => end(code, reason)),
        terminate: () => end(1006, 'terminated'),
      });
      ended = () => listener.closed();
      work(() => !isOver && handlers.opened());
      return {
        send(bytes) {
          work(() => {
            if (isOver) return;
            const messages = decodeUpBatch(bytes).flatMap((message) => link.up(message));
            link.ups.push(...messages);
            if (messages.length > 0) listener.received(encodeUpBatch(messages), false);
          });
        },
        bufferedBytes: 0,
        close: () => work(() => end(1000, 'closed')),
      };
    },
  };
  return link;
}
