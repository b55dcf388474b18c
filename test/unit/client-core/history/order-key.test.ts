import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compareKeys,
  keyBetween,
  lastKey,
  nextKey,
  type OrderKey,
} from '../../../../client-core/src/history/order-key.ts';

const TIES = 2 ** 20;
const key = fc.record({ ms: fc.integer({ min: 0, max: 2 ** 42 }), tie: fc.integer({ min: 0, max: TIES - 1 }) });
const near = fc.record({ ms: fc.integer({ min: 5, max: 7 }), tie: fc.constantFrom(0, 1, 2, 3, TIES - 2, TIES - 1) });
const anyKey = fc.oneof(key, near);
const timeMs = fc.oneof(fc.integer({ min: 0, max: 10 }), fc.nat({ max: Number.MAX_SAFE_INTEGER }));
const idOf = ({ ms, tie }: OrderKey): bigint => BigInt(ms) * BigInt(TIES) + BigInt(tie);

describe('a key', () => {
  test('compares as its id does', () => {
    fc.assert(
      fc.property(anyKey, anyKey, (a, b) => {
        const [idA, idB] = [idOf(a), idOf(b)];
        expect(Math.sign(compareKeys(a, b))).toBe(idA < idB ? -1 : idA > idB ? 1 : 0);
      }),
    );
  });

  test('between two neighbours is between them, and there is none only where they touch', () => {
    fc.assert(
      fc.property(anyKey, anyKey, timeMs, (a, b, time) => {
        fc.pre(compareKeys(a, b) !== 0);
        const [before, after] = compareKeys(a, b) < 0 ? [a, b] : [b, a];
        const made = keyBetween(before, after, time);
        if (made === undefined) {
          expect(idOf(after) - idOf(before)).toBe(1n);
          return;
        }
        expect(compareKeys(before, made)).toBeLessThan(0);
        expect(compareKeys(made, after)).toBeLessThan(0);
        expect(made.tie).toBeGreaterThanOrEqual(0);
        expect(made.tie).toBeLessThan(TIES);
      }),
    );
  });

  test('is the time where the neighbours allow it', () => {
    expect(keyBetween(undefined, undefined, 5)).toEqual({ ms: 5, tie: 0 });
    expect(keyBetween({ ms: 4, tie: 9 }, { ms: 6, tie: 0 }, 5)).toEqual({ ms: 5, tie: 0 });
  });

  test('on one side only is on that side', () => {
    fc.assert(
      fc.property(anyKey, timeMs, (neighbour, time) => {
        const after = keyBetween(neighbour, undefined, time);
        const before = keyBetween(undefined, neighbour, time);
        if (!after || !before) throw new Error('an open side has room');
        expect(compareKeys(neighbour, after)).toBeLessThan(0);
        expect(compareKeys(before, neighbour)).toBeLessThan(0);
        expect(before.tie).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test('of messages one after the other rises, whatever the clock says, and stays before the last key of a page', () => {
    fc.assert(
      fc.property(fc.array(timeMs, { minLength: 1, maxLength: 50 }), (times) => {
        let last: OrderKey | undefined;
        for (const time of times) {
          const made = keyBetween(last, undefined, time);
          if (!made) throw new Error('an open side has room');
          if (last) expect(compareKeys(last, made)).toBeLessThan(0);
          expect(compareKeys(made, lastKey)).toBeLessThan(0);
          expect(idOf(made)).toBeLessThan(2n ** 63n);
          last = made;
        }
      }),
    );
  });

  test('in the middle: every free place between near neighbours is found before one is said to be missing', () => {
    for (let gap = 1; gap <= 64; gap += 1) {
      const taken = new Set<bigint>();
      const fill = (before: OrderKey, after: OrderKey): void => {
        const made = keyBetween(before, after, 0);
        if (made === undefined) return;
        expect(taken.has(idOf(made))).toBe(false);
        taken.add(idOf(made));
        fill(before, made);
        fill(made, after);
      };
      const start = { ms: 7, tie: TIES - 20 };
      const end = Number(BigInt(start.tie) + BigInt(gap));
      fill(start, end < TIES ? { ms: 7, tie: end } : { ms: 8, tie: end - TIES });
      expect(taken.size).toBe(gap - 1);
    }
  });

  test('the next one is one id further', () => {
    fc.assert(fc.property(anyKey, (one) => idOf(nextKey(one)) === idOf(one) + 1n));
  });

  test('the last key of a page is the last id that a file can have', () => {
    expect(idOf(lastKey)).toBe(2n ** 63n - 1n);
  });
});
