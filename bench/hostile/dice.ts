import { seededRandom } from '../../test/support/seeded.ts';

/** Choices that depend on the seed alone. */
export type Dice = {
  /** 0 to `below` - 1; 0 where there is no choice. */
  int(below: number): number;
  pick<T>(items: readonly T[]): T;
  /** So many random bytes. */
  bytes(length: number): Buffer;
  /** True in one of so many throws. */
  oneIn(times: number): boolean;
};

export function createDice(seed: number): Dice {
  const random = seededRandom(seed);
  const int = (below: number): number => Math.floor(random() * below);
  return {
    int,
    pick(items) {
      const index = int(items.length);
      for (const [at, item] of items.entries()) if (at === index) return item;
      throw new Error('nothing to pick from');
    },
    bytes: (length) => Buffer.from(Array.from({ length }, () => int(256))),
    oneIn: (times) => int(times) === 0,
  };
}
