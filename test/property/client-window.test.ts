import { limits } from '@waxwing/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { further, reaches, reachOf, together } from '../../client-core/src/sync/reach.ts';
import type { Reach } from '../../client-core/src/history/receipts.ts';
import { oldestUnanswered, room } from '../../client-core/src/sync/window.ts';

describe('the window', () => {
  const bounds = { perHandle: limits.windowPerHandle, inAll: limits.windowInAll };

  test('is never passed, and never left unused, whatever is answered when', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ handle: fc.nat({ max: 5 }), answers: fc.nat({ max: 20 }) }), { maxLength: 60 }),
        (turns) => {
          const open = new Map<number, Set<number>>();
          const next = new Map<number, number>();
          const inAll = () => [...open.values()].reduce((sum, set) => sum + set.size, 0);
          for (const { handle, answers } of turns) {
            const own = open.get(handle) ?? new Set<number>();
            open.set(handle, own);
            const n = next.get(handle) ?? 1;
            const lowest = own.size > 0 ? Math.min(...own) : undefined;
            const free = room(bounds, inAll(), lowest, n);
            for (let index = 0; index < free; index += 1) own.add(n + index);
            next.set(handle, n + free);
            expect(inAll()).toBeLessThanOrEqual(bounds.inAll);
            if (own.size > 0) expect(Math.max(...own)).toBeLessThan(Math.min(...own) + bounds.perHandle);
            const isFull = inAll() === bounds.inAll || n + free === (lowest ?? n) + bounds.perHandle;
            expect(isFull).toBe(true);
            // Answers come in any order: the last first here.
            for (const answered of [...own].slice(-answers)) own.delete(answered);
          }
        },
      ),
    );
  });

  test('names the lowest n without an outcome, or its own', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ n: fc.integer({ min: 1, max: 99 }) })),
        fc.integer({ min: 1, max: 99 }),
        (all, n) => {
          expect(oldestUnanswered(all, n)).toBe(Math.min(n, ...all.map((one) => one.n)));
        },
      ),
    );
  });
});

describe('a watermark', () => {
  const reach: fc.Arbitrary<Reach> = fc.record({
    n: fc.integer({ min: 0, max: 20 }),
    except: fc.array(
      fc.tuple(fc.integer({ min: 1, max: 20 }), fc.nat({ max: 3 })).map(([from, more]) => ({ from, to: from + more })),
      { maxLength: 4 },
    ),
  });
  const excepted = ({ except }: Reach): number => except.reduce((sum, { from, to }) => sum + to - from + 1, 0);

  test('covers what is not above it and not excepted', () => {
    fc.assert(
      fc.property(reach, fc.integer({ min: 1, max: 25 }), (one, n) => {
        const isExcepted = one.except.some(({ from, to }) => n >= from && n <= to);
        expect(reaches(one, n)).toBe(n <= one.n && !isExcepted);
      }),
    );
    expect(reaches(undefined, 1)).toBe(false);
  });

  test('only rises: the further one is one of the two, no lower, and the first where they say the same', () => {
    fc.assert(
      fc.property(reach, reach, (a, b) => {
        const taken = further(a, b);
        expect([a, b]).toContain(taken);
        expect(taken.n).toBe(Math.max(a.n, b.n));
        if (a.n === b.n) expect(excepted(taken)).toBe(Math.min(excepted(a), excepted(b)));
        expect(further(a, a)).toBe(a);
        expect(further(undefined, b)).toBe(b);
      }),
    );
  });

  test('of two covers what either covers, in either order', () => {
    fc.assert(
      fc.property(reach, reach, (a, b) => {
        for (let n = 1; n <= 25; n += 1) {
          expect(reaches(together(a, b), n)).toBe(reaches(a, n) || reaches(b, n));
          expect(reaches(together(b, a), n)).toBe(reaches(together(a, b), n));
        }
        expect(together(undefined, a)).toBe(a);
      }),
    );
  });

  test('names no more ranges than fit, and then ends before the first that does not', () => {
    const max = limits.exceptRangesPerWatermark;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 * max }), (holes) => {
        const except = Array.from({ length: holes }, (_, index) => ({ from: 3 * index + 2, to: 3 * index + 2 }));
        const head = 3 * holes + 1;
        const told = reachOf(head, except);
        expect(told.except.length).toBeLessThanOrEqual(max);
        for (let n = 1; n <= head; n += 1) {
          const isHeld = !except.some(({ from }) => from === n);
          if (reaches(told, n)) expect(isHeld).toBe(true);
          if (isHeld && n <= told.n) expect(reaches(told, n)).toBe(true);
        }
        expect(told.n).toBe(holes <= max ? head : 3 * max + 1);
      }),
    );
  });
});
