import { compareSequences, parseEra, type Sequence } from '@waxwing/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contains, count, type Ranges } from '../../client-core/src/sync/ranges.ts';
import {
  gapKind,
  gaps,
  heldBackFrom,
  hold,
  isReleased,
  know,
  showHole,
  standing,
  type EpochView,
  type Met,
} from '../../client-core/src/sync/sequencer.ts';

/** What a relay counted: eras in order, the last number of each, and whether it remembers the era before. */
type Log = readonly { readonly era: number; readonly last: number; readonly remembers: boolean }[];

const log: fc.Arbitrary<Log> = fc
  .array(
    fc.record({ step: fc.integer({ min: 1, max: 3 }), last: fc.integer({ min: 1, max: 6 }), remembers: fc.boolean() }),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .map((eras) => {
    let era = 0;
    return eras.map(({ step, last, remembers }) => ({ era: (era += step), last, remembers }));
  });

function metsOf(counted: Log): Met[] {
  return counted.flatMap(({ era, last, remembers }, index) => {
    const before = remembers ? counted[index - 1] : undefined;
    return Array.from({ length: last }, (_, at) => ({
      sequence: { era: parseEra(era), number: at + 1 },
      ...(before && { predecessor: { era: parseEra(before.era), number: before.last } }),
    }));
  });
}

type Step = { readonly type: 'hold' | 'know'; readonly met: Met };

/** Some of what the relay counted, in any order, some of it twice. */
const steps: fc.Arbitrary<Step[]> = log.chain((counted) =>
  fc.array(fc.record({ type: fc.constantFrom('hold', 'hold', 'know'), met: fc.constantFrom(...metsOf(counted)) }), {
    minLength: 1,
    maxLength: 40,
  }),
);

const empty: EpochView = { eras: [] };
const name = ({ era, number }: Sequence): string => `${era}.${number}`;

/** The same knowledge as plain sets. */
class Model {
  start: Sequence | undefined;
  readonly held = new Set<string>();
  readonly holes = new Set<string>();
  readonly tops = new Map<number, number>();
  readonly predecessors = new Map<number, Sequence>();

  take({ type, met }: Step): void {
    const { sequence, predecessor } = met;
    this.start ??= sequence;
    if (type === 'hold') {
      if (compareSequences(sequence, this.start) < 0) this.start = sequence;
      this.held.add(name(sequence));
      this.holes.delete(name(sequence));
    }
    this.tops.set(sequence.era, Math.max(this.tops.get(sequence.era) ?? 0, sequence.number));
    if (predecessor) this.predecessors.set(sequence.era, predecessor);
  }

  /** Every number that must exist and is not here. */
  missing(): string[] {
    const { start } = this;
    if (!start) return [];
    const tops = new Map(this.tops);
    for (const { era, number } of this.predecessors.values()) tops.set(era, Math.max(tops.get(era) ?? 0, number));
    // Of an era whose numbers were only heard of, the highest is not expected unless it is the highest of all.
    const floor = [...this.tops].sort(([a], [b]) => b - a)[0];
    const expected: string[] = [];
    for (const era of [...tops.keys()].sort((a, b) => a - b)) {
      if (era < start.era) continue;
      const told = Math.max(0, ...[...this.predecessors.values()].filter((p) => p.era === era).map((p) => p.number));
      const top = Math.max(told, floor?.[0] === era ? floor[1] : 0, this.highestHeld(era));
      for (let number = era === start.era ? start.number : 1; number <= top; number += 1) {
        const one = `${era}.${number}`;
        if (!this.held.has(one) && !this.holes.has(one)) expected.push(one);
      }
    }
    return expected;
  }

  private highestHeld(era: number): number {
    const numbers = [...this.held].filter((one) => one.startsWith(`${era}.`)).map((one) => Number(one.split('.')[1]));
    return Math.max(0, ...numbers);
  }
}

function apply(view: EpochView, { type, met }: Step): EpochView {
  return type === 'hold' ? hold(view, met).view : know(view, met);
}

const numbersOf = (view: EpochView): string[] =>
  gaps(view).flatMap(({ era, from, to }) => Array.from({ length: to - from + 1 }, (_, at) => `${era}.${from + at}`));

const isTidy = (ranges: Ranges): boolean =>
  ranges.every(({ from, to }, index) => from <= to && (index === 0 || from > (ranges[index - 1]?.to ?? 0) + 1));

describe('the sequencer', () => {
  test('knows exactly the gaps that plain sets know, after every step', () => {
    fc.assert(
      fc.property(steps, fc.array(fc.nat(), { maxLength: 10 }), (all, shows) => {
        const model = new Model();
        let view = empty;
        for (const [index, step] of all.entries()) {
          view = apply(view, step);
          model.take(step);
          if (shows.includes(index)) {
            const [first] = gaps(view);
            if (first) {
              view = showHole(view, first);
              for (let n = first.from; n <= first.to; n += 1) model.holes.add(`${first.era}.${n}`);
            }
          }
          expect(numbersOf(view)).toEqual(model.missing());
          expect(view.eras.every(({ held, holes }) => isTidy(held) && isTidy(holes))).toBe(true);
          expect(view.eras.map(({ era }) => era)).toEqual(view.eras.map(({ era }) => era).sort((a, b) => a - b));
        }
      }),
      { numRuns: 400 },
    );
  });

  test('has the same view in the end, whatever the order in which the same was held', () => {
    const shuffled = log.chain((counted) =>
      fc
        .subarray(metsOf(counted), { minLength: 1 })
        .chain((mets) =>
          fc.tuple(
            fc.shuffledSubarray(mets, { minLength: mets.length }),
            fc.shuffledSubarray([...mets, ...mets], { minLength: 2 * mets.length }),
          ),
        ),
    );
    fc.assert(
      fc.property(shuffled, ([once, twice]) => {
        const view = (mets: readonly Met[]) => mets.reduce<EpochView>((before, met) => hold(before, met).view, empty);
        expect(view(twice)).toEqual(view(once));
        expect(gaps(view(twice))).toEqual(gaps(view(once)));
      }),
      { numRuns: 400 },
    );
  });

  test('says of an arrival whether it is new, fills a hole or was held', () => {
    fc.assert(
      fc.property(steps, (all) => {
        let view = empty;
        const held = new Set<string>();
        const holes = new Set<string>();
        for (const { met } of all) {
          const { view: next, arrival } = hold(view, met);
          const one = name(met.sequence);
          expect(arrival).toBe(held.has(one) ? 'held' : holes.has(one) ? 'late' : 'new');
          held.add(one);
          holes.delete(one);
          view = next;
          for (const gap of gaps(view).slice(0, 1)) {
            view = showHole(view, gap);
            for (let n = gap.from; n <= gap.to; n += 1) holes.add(`${gap.era}.${n}`);
          }
        }
      }),
    );
  });

  test('releases the numbers of an era in order, but for those that fill a hole', () => {
    const numbers = fc.array(fc.integer({ min: 2, max: 12 }), { maxLength: 30 });
    fc.assert(
      fc.property(numbers, fc.array(fc.nat({ max: 30 }), { maxLength: 6 }), (arriving, shows) => {
        let view = empty;
        let highest = 0;
        const waiting = new Set<number>();
        const done = new Set<number>();
        for (const [index, number] of [1, ...arriving].entries()) {
          const { view: next, arrival } = hold(view, { sequence: { era: parseEra(1), number } });
          view = next;
          if (shows.includes(index)) view = gaps(view).slice(0, 1).reduce(showHole, view);
          if (!done.has(number)) waiting.add(number);
          for (const one of [...waiting].sort((a, b) => a - b)) {
            if (!isReleased(view, { era: parseEra(1), number: one })) break;
            waiting.delete(one);
            done.add(one);
            if (arrival !== 'late' || one !== number) expect(one).toBeGreaterThan(highest);
            highest = Math.max(highest, one);
          }
        }
        expect([...done, ...waiting].sort((a, b) => a - b)).toEqual(
          [...new Set([1, ...arriving])].sort((a, b) => a - b),
        );
      }),
    );
  });

  test('holds back exactly what stands behind the first gap', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const view = all.reduce(apply, empty);
        const first = heldBackFrom(view);
        for (const { met } of all) {
          expect(isReleased(view, met.sequence)).toBe(!first || compareSequences(met.sequence, first) < 0);
        }
        const shown = gaps(view).reduce(showHole, view);
        expect(gaps(shown)).toEqual([]);
        expect(all.every(({ met }) => isReleased(shown, met.sequence))).toBe(true);
      }),
    );
  });

  test('shows no held number as a hole, and a shown hole goes when its number is held', () => {
    fc.assert(
      fc.property(steps, (all) => {
        let view = all.reduce(apply, empty);
        for (const row of view.eras) view = showHole(view, { era: row.era, from: 1, to: 9 });
        for (const { held, holes } of view.eras) {
          for (let number = 1; number <= 9; number += 1) expect(contains(held, number)).toBe(!contains(holes, number));
        }
        for (const { met } of all) {
          view = hold(view, met).view;
          const row = view.eras.find(({ era }) => era === met.sequence.era);
          expect(row && contains(row.holes, met.sequence.number)).toBe(false);
        }
      }),
    );
  });

  test('explains as many missing numbers by own submits without an outcome as there are of them, and no more', () => {
    fc.assert(
      fc.property(steps, fc.nat({ max: 8 }), (all, unanswered) => {
        const view = all.reduce(apply, empty);
        const open = count(gaps(view));
        expect(gapKind(view, unanswered)).toBe(open === 0 ? 'none' : open <= unanswered ? 'in flight' : 'waiting');
      }),
    );
  });

  test('of two places of a message the earlier stands, unless an era between does not know it', () => {
    fc.assert(
      fc.property(
        log.chain((counted) => {
          const one = fc.constantFrom(...metsOf(counted));
          return fc.record({ counted: fc.constant(counted), a: one, b: one, cut: fc.nat({ max: 6 }) });
        }),
        ({ counted, a, b, cut }) => {
          // A predecessor that is lower than what was there: the relay lost its tail.
          const mets = metsOf(counted).map((met) =>
            met.predecessor
              ? { ...met, predecessor: { ...met.predecessor, number: Math.max(1, met.predecessor.number - cut) } }
              : met,
          );
          const view = mets.reduce<EpochView>((before, met) => hold(before, met).view, empty);
          const [earlier, later] =
            compareSequences(a.sequence, b.sequence) <= 0 ? [a.sequence, b.sequence] : [b.sequence, a.sequence];
          const between = counted.filter(({ era }) => era > earlier.era && era <= later.era);
          const isForgotten = between.some(({ era, remembers }) => {
            const before = counted[counted.findIndex((row) => row.era === era) - 1];
            if (!remembers || !before) return true;
            return compareSequences({ era: parseEra(before.era), number: Math.max(1, before.last - cut) }, earlier) < 0;
          });
          expect(standing(view, a.sequence, b.sequence)).toEqual(isForgotten ? later : earlier);
          expect(standing(view, b.sequence, a.sequence)).toEqual(standing(view, a.sequence, b.sequence));
        },
      ),
    );
  });

  test('of two places of a message the earlier stands, if an era that began after both counts on from it alone', () => {
    const at = (era: number, number: number): Sequence => ({ era: parseEra(era), number });
    const era = (number: number, predecessor?: Sequence) => ({
      ...{ era: parseEra(number), held: [], holes: [] },
      ...(predecessor && { predecessor }),
    });
    const [earlier, later] = [at(1, 5), at(2, 3)];
    const stands = (...eras: EpochView['eras']): Sequence => standing({ eras: [era(1), ...eras] }, earlier, later);
    expect(stands(era(2))).toBe(later);
    expect(stands(era(2), era(3))).toBe(later);
    expect(stands(era(2), era(3, at(2, 2)))).toBe(later);
    expect(stands(era(2), era(3, at(1, 4)))).toBe(later);
    expect(stands(era(2), era(3, at(1, 5)))).toBe(earlier);
    expect(stands(era(2), era(3, at(1, 9)), era(4, at(3, 1)))).toBe(earlier);
    expect(stands(era(2), era(3, at(1, 9)), era(4))).toBe(earlier);
    expect(stands(era(2), era(3, at(1, 9)), era(4, at(2, 3)))).toBe(later);
    // An era between that was lost with what it began says nothing of those that did not count on from it.
    expect(standing({ eras: [era(1), era(2), era(3, at(1, 9))] }, earlier, at(3, 1))).toBe(earlier);
  });

  test('takes an era after it was named, and one that was named before the start came down to it', () => {
    const at = (era: number, number: number): Sequence => ({ era: parseEra(era), number });
    const late = hold(hold(empty, { sequence: at(3, 1), predecessor: at(2, 7) }).view, { sequence: at(1, 4) }).view;
    expect(gaps(late)).toEqual([{ era: 2, from: 1, to: 7 }]);
    const named = hold(late, { sequence: at(2, 7), predecessor: at(1, 5) }).view;
    expect(gaps(named)).toEqual([
      { era: 1, from: 5, to: 5 },
      { era: 2, from: 1, to: 6 },
    ]);
  });

  test('does not believe a predecessor that is no earlier era', () => {
    const at = (era: number, number: number): Sequence => ({ era: parseEra(era), number });
    const view = hold(empty, { sequence: at(2, 1), predecessor: at(2, 9) }).view;
    expect(gaps(view)).toEqual([]);
    expect(view.eras).toEqual([{ era: 2, held: [{ from: 1, to: 1 }], holes: [] }]);
  });
});
