import { limits, type Down, type Mark, type Position, type Timers } from '@waxwing/protocol';
import type { ArrivedEntry, DeviceKey, MailboxEntry, MailboxStore, OpenMailbox } from '@waxwing/storage';
import { DeliverWindow } from './flow-control.ts';

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

/** Whose mailbox it is, and who is told. */
export type DeliveryHost = {
  readonly device: DeviceKey;
  readonly mailboxes: MailboxStore;
  readonly timers: Timers;
  send(down: Down): void;
  /** How many bytes more the channel takes; 0 while it does not flow. */
  channelRoom(): number;
  onDelivered(entries: number, bytes: number): void;
  onDrained(): void;
  onStoreFault(error: unknown): void;
};

export function createDelivery(host: DeliveryHost, opened: OpenMailbox): Delivery {
  return new MailboxDelivery(host, opened);
}

/** A class, since every connection has one: it keeps what differs, and nothing that all have alike. */
class MailboxDelivery implements Delivery {
  readonly #host: DeliveryHost;
  readonly #window = new DeliverWindow();
  readonly #stopListening: () => void;
  #incarnation: string;
  #after: number;
  /** The marks that the device knows, as texts; undefined: none. */
  #toldMarks: ReadonlySet<string> | undefined;
  #isDraining = true;
  #isStopped = false;
  #isReading = false;
  #isWanted = false;
  #isAcking = false;
  #pendingAck: Position | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(host: DeliveryHost, { incarnation, after, marks }: OpenMailbox) {
    this.#host = host;
    this.#incarnation = incarnation;
    this.#after = after;
    this.#toldMarks = textsOf(marks);
    this.#stopListening = host.mailboxes.listen(host.device, (entry) => this.#arrived(entry));
  }

  look(): void {
    this.#isWanted = true;
    this.resume();
  }

  resume(): void {
    if (this.#isWanted && !this.#isReading && !this.#cancelRetry) void this.#read();
  }

  committed(position: Position): void {
    const pending = this.#pendingAck;
    const isOlder = pending?.incarnation === position.incarnation && pending.number >= position.number;
    if (this.#isStopped || isOlder) return;
    this.#pendingAck = position;
    if (position.incarnation === this.#incarnation) this.#window.committed(position.number);
    void this.#ack();
    this.resume();
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopListening();
    this.#cancelRetry?.();
  }

  #retryLater(error: unknown): void {
    if (this.#isStopped) return;
    this.#host.onStoreFault(error);
    this.#cancelRetry ??= this.#host.timers.after(limits.storeRetryMs, () => {
      this.#cancelRetry = undefined;
      this.look();
      void this.#ack();
    });
  }

  /** What has just come is sent at once if it is all that is not sent yet, and there is room; else the mailbox is read. */
  #arrived(entry?: ArrivedEntry): void {
    const isNext = entry?.number === this.#after + 1 && entry.incarnation === this.#incarnation;
    const isBusy = this.#isDraining || this.#isReading || this.#isWanted || this.#cancelRetry !== undefined;
    if (!isNext || isBusy || this.#isStopped || this.#room() === 0) this.look();
    else this.#sendEntries([entry]);
  }

  #room(): number {
    return Math.min(this.#window.room(), this.#host.channelRoom());
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    try {
      while (this.#isWanted && !this.#isOver()) {
        const bytes = this.#room();
        if (bytes === 0) break;
        this.#isWanted = false;
        const of = this.#incarnation;
        const { mailboxes, device } = this.#host;
        const page = await mailboxes.read(device, this.#after, { entries: limits.mailboxPageEntries, bytes });
        if (this.#isOver()) return;
        if (of !== this.#incarnation) this.#isWanted = true;
        else this.#deliver(page.entries, page.marks);
      }
    } catch (error) {
      this.#isWanted = true;
      this.#retryLater(error);
    } finally {
      this.#isReading = false;
    }
  }

  #isOver(): boolean {
    return this.#isStopped;
  }

  #deliver(entries: readonly MailboxEntry[], marks: readonly Mark[]): void {
    const fresh = marks.filter((mark) => this.#toldMarks?.has(markText(mark)) !== true);
    if (fresh.length > 0) this.#host.send({ type: 'marks', marks: fresh });
    this.#toldMarks = textsOf(marks);
    this.#sendEntries(entries);
    if (entries.length > 0) this.#isWanted = true;
    else if (this.#isDraining) {
      this.#isDraining = false;
      this.#host.send({ type: 'drained' });
      this.#host.onDrained();
    }
  }

  #sendEntries(entries: readonly MailboxEntry[]): void {
    const incarnation = this.#incarnation;
    let bytes = 0;
    for (const { number, envelope } of entries) {
      this.#window.delivered(number, envelope.length);
      this.#host.send({ type: 'deliver', position: { incarnation, number }, envelope });
      this.#after = number;
      bytes += envelope.length;
    }
    if (entries.length > 0) this.#host.onDelivered(entries.length, bytes);
  }

  async #ack(): Promise<void> {
    if (this.#isAcking || this.#cancelRetry) return;
    this.#isAcking = true;
    try {
      while (this.#pendingAck !== undefined && !this.#isOver()) {
        const position = this.#pendingAck;
        const answer = await this.#host.mailboxes.ack(this.#host.device, position);
        if (this.#pendingAck === position) this.#pendingAck = undefined;
        if (answer.type === 'restarted') this.#restart(answer.incarnation);
      }
    } catch (error) {
      this.#retryLater(error);
    } finally {
      this.#isAcking = false;
    }
  }

  /** An ack of another incarnation trimmed nothing. If this reader still held that one to be current, it starts over. */
  #restart(current: string): void {
    if (this.#isStopped) return;
    this.#host.send({ type: 'mailbox_restarted', incarnation: current });
    if (current === this.#incarnation) return;
    this.#incarnation = current;
    this.#after = 0;
    this.#toldMarks = undefined;
    this.#window.clear();
    this.look();
  }
}

function textsOf(marks: readonly Mark[]): ReadonlySet<string> | undefined {
  return marks.length > 0 ? new Set(marks.map(markText)) : undefined;
}

function markText({ from, to, count, reason }: Mark): string {
  return `${from}-${to} ${count} ${reason}`;
}
