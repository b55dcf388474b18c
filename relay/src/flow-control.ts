import { envelopeMaxBytes, limits } from '@waxwing/protocol';

/**
 * What was delivered and is not acked yet, in bytes of envelopes: never more than `deliverWindowBytes`. The mailbox is
 * read only while the largest envelope still fits, so that nothing that was read has to be put back.
 */
export class DeliverWindow {
  #waiting: Waiting[] = none;
  #unacked = 0;

  /** Bytes that may still be delivered; 0 while less than the largest envelope is free. */
  room(): number {
    const free = limits.deliverWindowBytes - this.#unacked;
    return free >= envelopeMaxBytes ? free : 0;
  }

  delivered(number: number, bytes: number): void {
    if (this.#waiting === none) this.#waiting = [];
    this.#waiting.push({ number, bytes });
    this.#unacked += bytes;
  }

  /** Frees everything up to this number. */
  committed(number: number): void {
    let count = 0;
    for (const entry of this.#waiting) {
      if (entry.number > number) break;
      this.#unacked -= entry.bytes;
      count += 1;
    }
    if (count === this.#waiting.length) this.#waiting = none;
    else this.#waiting.splice(0, count);
  }

  /** Forgets everything: the mailbox is another one. */
  clear(): void {
    this.#waiting = none;
    this.#unacked = 0;
  }
}

type Waiting = { readonly number: number; readonly bytes: number };

/** What waits where nothing does; never added to. */
const none: Waiting[] = [];
