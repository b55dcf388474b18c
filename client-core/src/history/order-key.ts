/**
 * Where a message stands in the file: `id = ms << 20 | tie`. It is the row's id, so that reading and searching in order
 * need no sort. Ids pass 2^53, so a key is kept as its halves.
 */
export type OrderKey = { readonly ms: number; readonly tie: number };

const TIES = 2 ** 20;
/** No message stands at a later time than this, whatever the server says, so that an id fits 63 bits with room behind it. */
const LATEST_MS = 2 ** 42;
/** Behind every message. */
export const lastKey: OrderKey = { ms: 2 ** 43 - 1, tie: TIES - 1 };

/** The distance between messages of one millisecond: room for what fills a hole later. */
const STEP = 2 ** 10;

/** The first key of a time; of one before or behind all that a history can have, the nearest. */
export function keyAt(timeMs: number): OrderKey {
  return { ms: Math.min(Math.max(Number.isNaN(timeMs) ? 0 : timeMs, 0), lastKey.ms), tie: 0 };
}

/** The row's id of a key, as a decimal number: it may pass 2^53. */
export function rowIdOf({ ms, tie }: OrderKey): string {
  return (BigInt(ms) * BigInt(TIES) + BigInt(tie)).toString();
}

/** Negative, zero or positive as a stands before, at or after b. */
export function compareKeys(a: OrderKey, b: OrderKey): number {
  return a.ms - b.ms || a.tie - b.tie;
}

/**
 * A key between two neighbours of the same conversation, as near to the server's time as they allow; undefined where
 * there is none left between them. A neighbour that is absent does not bound.
 */
export function keyBetween(
  before: OrderKey | undefined,
  after: OrderKey | undefined,
  timeMs: number,
): OrderKey | undefined {
  const wanted = { ms: Math.min(timeMs, LATEST_MS), tie: 0 };
  if (before === undefined || compareKeys(before, wanted) < 0) {
    if (after === undefined || compareKeys(wanted, after) < 0) return wanted;
    return before === undefined ? minus(after) : middle(before, after);
  }
  return after === undefined ? plus(before, STEP) : middle(before, after);
}

/** The next key up: where another conversation has taken one. */
export function nextKey(key: OrderKey): OrderKey {
  return plus(key, 1);
}

function plus(key: OrderKey, ties: number): OrderKey {
  const tie = key.tie + ties;
  return tie < TIES ? { ms: key.ms, tie } : { ms: key.ms + 1, tie: tie - TIES };
}

function minus(key: OrderKey): OrderKey {
  const tie = key.tie - STEP;
  return tie >= 0 ? { ms: key.ms, tie } : { ms: key.ms - 1, tie: tie + TIES };
}

function middle(before: OrderKey, after: OrderKey): OrderKey | undefined {
  const low = BigInt(before.ms) * BigInt(TIES) + BigInt(before.tie);
  const high = BigInt(after.ms) * BigInt(TIES) + BigInt(after.tie);
  const key = (low + high) / 2n;
  return key === low ? undefined : { ms: Number(key / BigInt(TIES)), tie: Number(key % BigInt(TIES)) };
}

/** A key as the statements take it: `(? << 20) | ?`. */
export function halves({ ms, tie }: OrderKey): [number, number] {
  return [ms, tie];
}
