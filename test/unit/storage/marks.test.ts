import assert from 'node:assert/strict';
import type { Mark, MarkReason } from '@waxwing/protocol';
import fc from 'fast-check';
import { it } from 'vitest';
import { addMark, marksBehind } from '../../../storage/src/rules/marks.ts';

const reason = fc.constantFrom<MarkReason>('expired', 'over_quota');

/** Positions that go, each once, in any order. */
const going = fc
  .uniqueArray(fc.integer({ min: 1, max: 200 }), { maxLength: 80 })
  .chain((numbers) => fc.tuple(...numbers.map((number) => fc.record({ number: fc.constant(number), reason }))));

function play(gone: readonly { number: number; reason: MarkReason }[], kept: number): readonly Mark[] {
  return gone.reduce<readonly Mark[]>(
    (marks, { number, reason }) => addMark(marks, { from: number, to: number, count: 1 }, reason, kept),
    [],
  );
}

it('marks count every position that went under its reason, cover it, and stay few and in order', () => {
  fc.assert(
    fc.property(going, fc.integer({ min: 2, max: 12 }), (gone, kept) => {
      const marks = play(gone, kept);
      assert.ok(marks.length <= kept);
      assert.deepEqual(
        [...marks].sort((a, b) => a.from - b.from),
        marks,
      );
      for (const each of ['expired', 'over_quota'] as const) {
        const mine = marks.filter((mark) => mark.reason === each);
        const went = gone.filter((one) => one.reason === each);
        assert.equal(
          mine.reduce((sum, { count }) => sum + count, 0),
          went.length,
        );
        for (const { number } of went) assert.ok(mine.some(({ from, to }) => from <= number && number <= to));
      }
    }),
  );
});

it('while there is room for all runs, marks name exactly what went', () => {
  fc.assert(
    fc.property(going, (gone) => {
      const named = play(gone, 1_000).flatMap(({ from, to, count, reason }) => {
        assert.equal(count, to - from + 1);
        return Array.from({ length: count }, (_, i) => `${from + i} ${reason}`);
      });
      assert.deepEqual(named.sort(), gone.map(({ number, reason }) => `${number} ${reason}`).sort());
    }),
  );
});

it('a mark is behind a position until that is at its end', () => {
  const mark = { from: 3, to: 5, count: 2, reason: 'expired' } as const;
  assert.deepEqual(
    [2, 3, 4, 5].map((after) => marksBehind([mark], after).length),
    [1, 1, 1, 0],
  );
});
