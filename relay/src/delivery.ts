import { limits, type Down, type Mark, type Position, type Timers } from '@waxwing/protocol';
import type { ArrivedEntry, DeviceKey, MailboxEntry, MailboxStore, OpenMailbox } from '@waxwing/storage';
import { createDeliverWindow } from './flow-control.ts';

/**
 * Brings one device its mailbox, in order, within the window.
 *
 *   draining ──a read finds nothing more──▶ live          (`Drained` is sent in between)
 *   either:  no room, or the channel not flowing ──▶ waits for `committed` or `resume`
 *            the store fails ──▶ looks again after storeRetryMs
 *            the mailbox turns out to be another one ──▶ `MailboxRestarted`, and reads from its start
 *
 * The mailbox is read only when there is room, so that mail waits in the store and costs no memory here. A wake-up that
 * brings the next entry to a device that is live and has everything before it spares the read. A wake-up is a hint: `look`
 * at every heartbeat finds what a lost one would have brought.
 */
export type Delivery = {
  /** Something may have come. */
  look(): void;
  /** The channel is flowing again. */
  resume(): void;
  /** The device has committed up to here. Acks that come while one is on its way are sent on as one. */
  committed(position: Position): void;
  stop(): void;
};

export type DeliveryDeps = {
  readonly device: DeviceKey;
  readonly mailboxes: MailboxStore;
  readonly opened: OpenMailbox;
  readonly timers: Timers;
  readonly send: (down: Down) => void;
  /** How many bytes more the channel takes; 0 while it does not flow. */
  readonly channelRoom: () => number;
  readonly onDelivered: (entries: number, bytes: number) => void;
  readonly onDrained: () => void;
  readonly onStoreFault: (error: unknown) => void;
};

export function createDelivery(deps: DeliveryDeps): Delivery {
  const { device, mailboxes, send } = deps;
  const window = createDeliverWindow();
  let { incarnation, after } = deps.opened;
  let toldMarks = new Set(deps.opened.marks.map(markText));
  let isDraining = true;
  let isStopped = false;
  let isReading = false;
  let isWanted = false;
  let isAcking = false;
  let pendingAck: Position | undefined;
  let cancelRetry: (() => void) | undefined;

  const isOver = (): boolean => isStopped;

  const retryLater = (error: unknown): void => {
    if (isStopped) return;
    deps.onStoreFault(error);
    cancelRetry ??= deps.timers.after(limits.storeRetryMs, () => {
      cancelRetry = undefined;
      look();
      void ack();
    });
  };

  const look = (): void => {
    isWanted = true;
    resume();
  };

  const resume = (): void => {
    if (isWanted && !isReading && !cancelRetry) void read();
  };

  /** What has just come is sent at once if it is all that is not sent yet, and there is room; else the mailbox is read. */
  const arrived = (entry?: ArrivedEntry): void => {
    const isNext = entry?.number === after + 1 && entry.incarnation === incarnation;
    const isIdle = !isStopped && !isDraining && !isReading && !isWanted && !cancelRetry;
    if (!isNext || !isIdle || Math.min(window.room(), deps.channelRoom()) === 0) look();
    else sendEntries([entry]);
  };

  const read = async (): Promise<void> => {
    isReading = true;
    try {
      while (isWanted && !isOver()) {
        const bytes = Math.min(window.room(), deps.channelRoom());
        if (bytes === 0) break;
        isWanted = false;
        const of = incarnation;
        const page = await mailboxes.read(device, after, { entries: limits.mailboxPageEntries, bytes });
        if (isOver()) return;
        if (of !== incarnation) isWanted = true;
        else deliver(page.entries, page.marks);
      }
    } catch (error) {
      isWanted = true;
      retryLater(error);
    } finally {
      isReading = false;
    }
  };

  const deliver = (entries: readonly MailboxEntry[], marks: readonly Mark[]): void => {
    const fresh = marks.filter((mark) => !toldMarks.has(markText(mark)));
    if (fresh.length > 0) send({ type: 'marks', marks: fresh });
    toldMarks = new Set(marks.map(markText));
    sendEntries(entries);
    if (entries.length > 0) isWanted = true;
    else if (isDraining) {
      isDraining = false;
      send({ type: 'drained' });
      deps.onDrained();
    }
  };

  const sendEntries = (entries: readonly MailboxEntry[]): void => {
    let bytes = 0;
    for (const { number, envelope } of entries) {
      window.delivered(number, envelope.length);
      send({ type: 'deliver', position: { incarnation, number }, envelope });
      after = number;
      bytes += envelope.length;
    }
    if (entries.length > 0) deps.onDelivered(entries.length, bytes);
  };

  const ack = async (): Promise<void> => {
    if (isAcking || cancelRetry) return;
    isAcking = true;
    try {
      while (pendingAck !== undefined && !isOver()) {
        const position = pendingAck;
        const answer = await mailboxes.ack(device, position);
        if (pendingAck === position) pendingAck = undefined;
        if (answer.type === 'restarted') restart(answer.incarnation);
      }
    } catch (error) {
      retryLater(error);
    } finally {
      isAcking = false;
    }
  };

  /** An ack of another incarnation trimmed nothing. If this reader still held that one to be current, it starts over. */
  const restart = (current: string): void => {
    if (isStopped) return;
    send({ type: 'mailbox_restarted', incarnation: current });
    if (current === incarnation) return;
    incarnation = current;
    after = 0;
    toldMarks = new Set();
    window.clear();
    look();
  };

  const stopListening = mailboxes.listen(device, arrived);
  return {
    look,
    resume,
    committed(position) {
      const isOlder = pendingAck?.incarnation === position.incarnation && pendingAck.number >= position.number;
      if (isStopped || isOlder) return;
      pendingAck = position;
      if (position.incarnation === incarnation) window.committed(position.number);
      void ack();
      resume();
    },
    stop() {
      isStopped = true;
      stopListening();
      cancelRetry?.();
    },
  };
}

function markText({ from, to, count, reason }: Mark): string {
  return `${from}-${to} ${count} ${reason}`;
}
