import { compareSequences, type EraNumber, type Sequence } from '@waxwing/protocol';
import { add, contains, count, highest, missing, remove, type Range, type Ranges } from './ranges.ts';

/** An era as this device knows it: what it holds, which missing numbers are shown as holes, and the era before, if known. */
export type EraView = {
  readonly era: EraNumber;
  readonly predecessor?: Sequence;
  readonly held: Ranges;
  readonly holes: Ranges;
};

/** An epoch as this device knows it. Eras ascend. Nothing before `start` is expected; `floor` is the highest sequence known of. */
export type EpochView = {
  readonly start?: Sequence;
  readonly floor?: Sequence;
  readonly eras: readonly EraView[];
};

/** Missing numbers of one era. */
export type Gap = Range & { readonly era: EraNumber };

/** A sequence that was met: in an envelope, an `Accepted` or a head. */
export type Met = { readonly sequence: Sequence; readonly predecessor?: Sequence };

/** What an arrival was: new; in the place of a shown hole; or at a number that is held already. */
export type Arrival = 'new' | 'late' | 'held';

/** Notes that a sequence exists, without holding it. */
export function know(view: EpochView, met: Met): EpochView {
  const start = view.start ?? met.sequence;
  const floor = view.floor && compareSequences(view.floor, met.sequence) >= 0 ? view.floor : met.sequence;
  return { start, floor, eras: withEra(view.eras, met, start) };
}

/** Holds a number. What came before the start of the coverage moves the start. */
export function hold(view: EpochView, met: Met): { view: EpochView; arrival: Arrival } {
  const known = know(view, met);
  const { era, number } = met.sequence;
  let arrival: Arrival = 'new';
  const eras = known.eras.map((row) => {
    if (row.era !== era) return row;
    const one = { from: number, to: number };
    if (contains(row.held, number)) arrival = 'held';
    else if (contains(row.holes, number)) arrival = 'late';
    return { ...row, held: add(row.held, one), holes: remove(row.holes, one) };
  });
  const start = known.start && compareSequences(met.sequence, known.start) < 0 ? met.sequence : known.start;
  return { view: { ...known, ...(start && { start }), eras: withNamed(eras, start) }, arrival };
}

/** Shows missing numbers as holes; what is held stays held. */
export function showHole(view: EpochView, gap: Gap): EpochView {
  const eras = view.eras.map((row) =>
    row.era === gap.era ? { ...row, holes: missing(row.held, gap).reduce<Ranges>(add, row.holes) } : row,
  );
  return { ...view, eras };
}

/** The missing numbers that are not shown as holes, in order: what is expected from `start` up to the highest sequence known of. */
export function gaps(view: EpochView): Gap[] {
  return view.eras.flatMap((row, index) =>
    missing([], expected(view, row, index))
      .flatMap((whole) => missing(row.held, whole))
      .flatMap((range) => missing(row.holes, range))
      .map((range) => ({ ...range, era: row.era })),
  );
}

/** The first missing number that is not shown as a hole: what stands behind it is held back. */
export function heldBackFrom(view: EpochView): Sequence | undefined {
  const first = gaps(view)[0];
  return first && { era: first.era, number: first.from };
}

/** Whether everything before this sequence is held or shown as a hole, so that a message there may be shown. */
export function isReleased(view: EpochView, sequence: Sequence): boolean {
  const first = heldBackFrom(view);
  return first === undefined || compareSequences(sequence, first) < 0;
}

/**
 * How long the gaps of an epoch may hold messages back. Gaps that own submits of unknown outcome can explain are in
 * flight: they close when those are answered, without a time limit.
 */
export function gapKind(view: EpochView, unansweredOwn: number): 'none' | 'in flight' | 'waiting' {
  const open = count(gaps(view));
  if (open === 0) return 'none';
  return open <= unansweredOwn ? 'in flight' : 'waiting';
}

/** The eras known of, in order. */
export function erasOf({ eras }: EpochView): EraNumber[] {
  return eras.map(({ era }) => era);
}

/** The highest sequence known of in the eras before this one. */
export function floorBefore(view: EpochView, era: EraNumber): Sequence | undefined {
  const before = view.eras
    .filter((row) => row.era < era)
    .map((row) => ({ era: row.era, number: toldOf(view, row.era) ?? 0 }));
  return before.findLast(({ number }) => number > 0);
}

/**
 * Which of two places of one message stands (I-10): the earlier, unless the era of the later one counts on without it. Then
 * the store forgot the earlier, and the later stands, unless a newer era counts on from the earlier alone: the store was
 * restored to what it was before the later.
 */
export function standing(view: EpochView, a: Sequence, b: Sequence): Sequence {
  const [earlier, later] = compareSequences(a, b) <= 0 ? [a, b] : [b, a];
  const fromEarlier = countingOn(view, earlier);
  const known = view.eras.findLast(({ era }) => era <= later.era)?.era ?? earlier.era;
  if (known === earlier.era || fromEarlier.has(known)) return earlier;
  const fromLater = countingOn(view, later);
  const newest = view.eras.findLast(({ era }) => fromEarlier.has(era) || fromLater.has(era));
  return newest && newest.era > later.era && fromEarlier.has(newest.era) ? earlier : later;
}

/** The eras that go on from a sequence, its own among them: their predecessors lead back to it, or behind it. */
function countingOn({ eras }: EpochView, { era, number }: Sequence): ReadonlySet<EraNumber> {
  const on = new Set([era]);
  for (const { era: next, predecessor } of eras) {
    if (next <= era || predecessor === undefined) continue;
    if (predecessor.era === era ? predecessor.number >= number : on.has(predecessor.era)) on.add(next);
  }
  return on;
}

/** The highest number of an era that the relay told of; undefined for an era that it did not name, or before the start. */
export function toldOf(view: EpochView, era: EraNumber): number | undefined {
  const index = view.eras.findIndex((row) => row.era === era);
  const row = view.eras[index];
  if (row === undefined || view.start === undefined || era < view.start.era) return undefined;
  return expected(view, row, index).to;
}

function expected(view: EpochView, row: EraView, index: number): Range {
  const { start, floor } = view;
  if (start === undefined || row.era < start.era) return { from: 1, to: 0 };
  // Any later era may name this one: what lies between may be made up, or what the relay has forgotten.
  const told = view.eras.slice(index + 1).reduce((most, { predecessor }) => {
    return predecessor?.era === row.era ? Math.max(most, predecessor.number) : most;
  }, 0);
  const known = floor?.era === row.era ? floor.number : 0;
  return { from: row.era === start.era ? start.number : 1, to: Math.max(told, known, highest(row.held)) };
}

function withEra(eras: readonly EraView[], { sequence, predecessor }: Met, start: Sequence): readonly EraView[] {
  const row = eras.find(({ era }) => era === sequence.era);
  const named = predecessor && predecessor.era < sequence.era ? predecessor : undefined;
  let next = eras;
  if (row === undefined) {
    const added = { era: sequence.era, held: [], holes: [], ...(named && { predecessor: named }) };
    next = [...eras, added].sort((a, b) => a.era - b.era);
  } else if (row.predecessor === undefined && named) {
    next = eras.map((other) => (other === row ? { ...row, predecessor: named } : other));
  }
  return withNamed(next, start);
}

/** The eras that others name as their predecessor are expected, unless they lie before the start. */
function withNamed(eras: readonly EraView[], start: Sequence | undefined): readonly EraView[] {
  const known = new Set(eras.map(({ era }) => era));
  const named = eras.flatMap(({ predecessor }) => predecessor?.era ?? []);
  const unmet = [...new Set(named)].filter((era) => start && era >= start.era && !known.has(era));
  if (unmet.length === 0) return eras;
  return [...eras, ...unmet.map((era) => ({ era, held: [], holes: [] }))].sort((a, b) => a.era - b.era);
}
