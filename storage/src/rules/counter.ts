import type { Sequence } from '@waxwing/protocol';

/** What is kept of a handle. Values are never changed, but replaced. */
export type Counter = {
  /** The first era of this counter since it came to be: the memory of n of another life is forgotten. */
  readonly life: number;
  readonly last: Sequence;
  /** Of the era of `last`; absent: unknown. */
  readonly predecessor?: Sequence;
  /** The number of the last group change in this era. */
  readonly lastChange?: number;
  /** The incarnation of the store that counted last. */
  readonly incarnation: string;
  readonly usedMs: number;
};

/** The outcome of one committed n. */
export type Remembered = {
  readonly n: number;
  readonly attempt: number;
  readonly digest: Uint8Array;
  readonly sequence: Sequence;
  readonly predecessor?: Sequence;
  readonly serverTimeMs: number;
};

/** What is remembered of one sender device in a handle (I-1): its last n, and its last results, oldest first. */
export type SenderMemory = { readonly life: number; readonly last: number; readonly results: readonly Remembered[] };

/** The counter, unless it has been idle for its lifetime: then it and its memory of n are gone together (I-6). */
export function liveCounter(counter: Counter | undefined, nowMs: number, counterTtlMs: number): Counter | undefined {
  return counter !== undefined && counter.usedMs + counterTtlMs > nowMs ? counter : undefined;
}

/** The memory, if it belongs to this life of the counter. */
export function liveMemory(memory: SenderMemory | undefined, counter: Counter | undefined): SenderMemory | undefined {
  return memory !== undefined && memory.life === counter?.life ? memory : undefined;
}
