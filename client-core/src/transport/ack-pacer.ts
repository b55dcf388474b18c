import { limits, type Position, type Timers } from '@waxwing/protocol';

/**
 * Acks, coalesced: the first goes at once, later ones up to `ackDelayMs` after the one before, the newest for all. When
 * half of the relay's window has come since the last ack, the next goes at once, so that delivery does not stall on it.
 *
 *   quiet --ack (sent)--> pacing --ack--> pacing, one pending --delay over (pending sent)--> pacing
 *     ^____________________/ delay over, none pending
 */
export class AckPacer {
  readonly #timers: Timers;
  readonly #send: (committed: Position) => void;
  #mailbox: string | undefined;
  #sent = 0;
  #pending: Position | undefined;
  #unackedBytes = 0;
  #endPace: (() => void) | undefined;

  constructor(timers: Timers, send: (committed: Position) => void) {
    this.#timers = timers;
    this.#send = send;
  }

  /** The mailbox that is drained now. Acks of any other are dropped, a pending one too: they would trim nothing. */
  drain(incarnation: string): void {
    if (this.#mailbox === incarnation) return;
    this.#mailbox = incarnation;
    this.#sent = 0;
    this.#pending = undefined;
  }

  delivered(bytes: number): void {
    this.#unackedBytes += bytes;
  }

  ack(committed: Position): void {
    const newest = Math.max(this.#sent, this.#pending?.number ?? 0);
    if (committed.incarnation !== this.#mailbox || committed.number <= newest) return;
    this.#pending = committed;
    if (!this.#endPace || this.#unackedBytes >= limits.deliverWindowBytes / 2) this.flush();
  }

  /** Sends a pending ack now. */
  flush(): void {
    if (!this.#pending) return;
    const committed = this.#pending;
    this.#pending = undefined;
    this.#sent = committed.number;
    this.#unackedBytes = 0;
    this.#endPace?.();
    this.#endPace = this.#timers.after(limits.ackDelayMs, () => {
      this.#endPace = undefined;
      this.flush();
    });
    this.#send(committed);
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#mailbox = undefined;
    this.#pending = undefined;
    this.#endPace?.();
    this.#endPace = undefined;
  }
}
