/** Wall time in milliseconds since 1970. May step either way. */
export type Clock = { now(): number };

/** Calls back once after a delay; the answer cancels it, and is harmless afterwards. */
export type Timers = { after(delayMs: number, call: () => void): () => void };

/** Cryptographically strong bytes. */
export type RandomBytes = (length: number) => Uint8Array;

/** What a part takes from outside instead of reading it: given once, at a composition root. */
export type Runtime = {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly randomBytes: RandomBytes;
};

/** A number in [0, 1) from strong bytes. */
export function randomFraction(random: RandomBytes): number {
  const bytes = random(4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32;
}
