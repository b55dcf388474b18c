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
      const item = items[int(items.length)];
      if (item === undefined) throw new Error('nothing to pick from');
      return item;
    },
    bytes(length) {
      const bytes = Buffer.alloc(length);
      for (let at = 0; at < length; at += 1) bytes[at] = int(256);
      return bytes;
    },
    oneIn: (times) => int(times) === 0,
  };
}
