import { envelopeMaxBytes, limits } from '@waxwing/protocol';

/**
 * What was delivered and is not acked yet, in bytes of envelopes: never more than `deliverWindowBytes`. The mailbox is
 * read only while the largest envelope still fits, so that nothing that was read has to be put back.
 */
export type DeliverWindow = {
  /** Bytes that may still be delivered; 0 while less than the largest envelope is free. */
  room(): number;
  delivered(number: number, bytes: number): void;
  /** Frees everything up to this number. */
  committed(number: number): void;
  /** Forgets everything: the mailbox is another one. */
  clear(): void;
};

export function createDeliverWindow(): DeliverWindow {
  let waiting: { readonly number: number; readonly bytes: number }[] = [];
  let unacked = 0;
  return {
    room() {
      const free = limits.deliverWindowBytes - unacked;
      return free >= envelopeMaxBytes ? free : 0;
    },
    delivered(number, bytes) {
      waiting.push({ number, bytes });
      unacked += bytes;
    },
    committed(number) {
      const first = waiting.findIndex((entry) => entry.number > number);
      const gone = waiting.splice(0, first < 0 ? waiting.length : first);
      for (const entry of gone) unacked -= entry.bytes;
    },
    clear() {
      waiting = [];
      unacked = 0;
    },
  };
}
