import type { RandomBytes } from '@waxwing/protocol';
import { seededBytes } from '../kit/src/manual-runtime.ts';

/** Choices from a seed: the same seed and the same questions give the same answers. */
export type Random = {
  /** In [0, 1). */
  fraction(): number;
  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number;
  chance(probability: number): boolean;
  pick<T>(all: readonly T[]): T;
  readonly bytes: RandomBytes;
};

export function createRandom(seed: string): Random {
  const bytes = seededBytes(seed);
  const fraction = (): number => {
    const [a = 0, b = 0, c = 0, d = 0] = bytes(4);
    return (a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d) / 2 ** 32;
  };
  return {
    fraction,
    between: (from, to) => from + Math.floor(fraction() * (to - from + 1)),
    chance: (probability) => fraction() < probability,
    pick(all) {
      const one = all[Math.floor(fraction() * all.length)];
      if (one === undefined) throw new RangeError('nothing to pick from');
      return one;
    },
    bytes,
  };
}
