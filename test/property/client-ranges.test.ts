import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  add,
  contains,
  count,
  highest,
  missing,
  remove,
  type Range,
  type Ranges,
} from '../../client-core/src/sync/ranges.ts';

const MAX = 24;
const range: fc.Arbitrary<Range> = fc
  .tuple(fc.integer({ min: 1, max: MAX }), fc.integer({ min: 0, max: 6 }))
  .map(([from, length]) => ({ from, to: from + length }));
type Change = { readonly type: 'add' | 'remove'; readonly range: Range };
const changes = fc.array(fc.record({ type: fc.constantFrom('add', 'remove'), range }), { maxLength: 30 });

const numbersIn = ({ from, to }: Range): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => from + at);

function build(all: readonly Change[]): { ranges: Ranges; set: Set<number> } {
  let ranges: Ranges = [];
  const set = new Set<number>();
  for (const { type, range: changed } of all) {
    ranges = type === 'add' ? add(ranges, changed) : remove(ranges, changed);
    for (const number of numbersIn(changed)) {
      if (type === 'add') set.add(number);
      else set.delete(number);
    }
  }
  return { ranges, set };
}

describe('ranges', () => {
  test('hold what a set holds, in ascending ranges that neither touch nor overlap', () => {
    fc.assert(
      fc.property(changes, (all) => {
        const { ranges, set } = build(all);
        expect(ranges.flatMap(numbersIn)).toEqual([...set].sort((a, b) => a - b));
        for (const [index, { from, to }] of ranges.entries()) {
          expect(from).toBeLessThanOrEqual(to);
          const next = ranges[index + 1];
          if (next) expect(next.from).toBeGreaterThan(to + 1);
        }
        expect(count(ranges)).toBe(set.size);
        expect(highest(ranges)).toBe(Math.max(0, ...set));
        for (let number = 0; number <= MAX + 8; number += 1) expect(contains(ranges, number)).toBe(set.has(number));
      }),
    );
  });

  test('miss of a whole what a set misses', () => {
    fc.assert(
      fc.property(changes, range, (all, whole) => {
        const { ranges, set } = build(all);
        expect(missing(ranges, whole).flatMap(numbersIn)).toEqual(
          numbersIn(whole).filter((number) => !set.has(number)),
        );
      }),
    );
  });

  test('miss nothing of what is empty', () => {
    expect(missing([{ from: 3, to: 4 }], { from: 2, to: 1 })).toEqual([]);
  });

  test('change no range that was given', () => {
    const ranges = Object.freeze([Object.freeze({ from: 1, to: 9 })]);
    expect(remove(add(ranges, { from: 12, to: 13 }), { from: 4, to: 4 })).toEqual([
      { from: 1, to: 3 },
      { from: 5, to: 9 },
      { from: 12, to: 13 },
    ]);
    expect(ranges).toEqual([{ from: 1, to: 9 }]);
  });
});
