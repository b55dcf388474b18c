import { parseEra, type EraNumber, type Sequence } from '@waxwing/protocol';
import type { EpochView, EraView } from '../sync/sequencer.ts';
import { missing, type Range, type Ranges } from '../sync/ranges.ts';
import type { Db, Row } from './database.ts';
import type { Memo } from './memo.ts';
import { integer, integerOrNull, text } from './row.ts';

/** Why numbers are missing. */
export const holeReasons = [
  'in flight',
  'expired',
  'over quota',
  'undecryptable',
  'refused',
  'awaiting sender',
  'unlisted device',
  'lost',
  'removed',
] as const;
/** Why messages are missing: one of `holeReasons`. */
export type HoleReason = (typeof holeReasons)[number];

export type HoleRow = Range & { readonly era: EraNumber; readonly reason: HoleReason };

/** Frames of one device that are missing without known numbers, standing before a sequence. */
export type ChainHoleRow = {
  readonly party: number;
  readonly fromN: number;
  readonly toN: number;
  readonly before: Sequence;
  readonly reason: HoleReason;
};

/** Since when a hole is one, how often others were asked for it, and when they are next; null until that is drawn. */
export type HoleAge = { readonly sinceMs: number; readonly tries: number; readonly dueMs: number | null };

/** Before and behind every sequence. */
const FIRST: Sequence = { era: parseEra(1), number: -1 };
const LAST: Sequence = { era: parseEra(Number.MAX_SAFE_INTEGER), number: Number.MAX_SAFE_INTEGER };

/** What of each epoch is held, missing and known of. */
export class CoverageStore {
  readonly #db: Db;
  /** By epoch: whether it may have chain holes. */
  readonly #anyChain: Memo<boolean>;

  constructor(db: Db) {
    this.#db = db;
    this.#anyChain = db.memo();
  }

  view(epoch: number): EpochView {
    const bounds = this.#db.get(
      'SELECT start_era, start_number, floor_era, floor_number FROM epoch WHERE id = ?',
      epoch,
    );
    if (bounds === undefined) throw new TypeError('no such epoch');
    const start = sequenceOf(bounds, 'start');
    const floor = sequenceOf(bounds, 'floor');
    const held = this.#ranges('coverage', epoch);
    const holes = this.#ranges('hole', epoch);
    const eras = this.#db
      .all('SELECT era, predecessor_era, predecessor_number FROM era WHERE epoch = ? ORDER BY era', epoch)
      .map((row): EraView => {
        const era = parseEra(integer(row, 'era'));
        const predecessor = sequenceOf(row, 'predecessor');
        return { era, held: held.get(era) ?? [], holes: holes.get(era) ?? [], ...(predecessor && { predecessor }) };
      });
    return { eras, ...(start && { start }), ...(floor && { floor }) };
  }

  /** Writes what differs between two views of an epoch. New holes get this reason. */
  save(epoch: number, before: EpochView, after: EpochView, reason: HoleReason, nowMs: number): void {
    if (before.start !== after.start || before.floor !== after.floor) {
      this.#db.run(
        'UPDATE epoch SET start_era = ?, start_number = ?, floor_era = ?, floor_number = ? WHERE id = ?',
        after.start?.era ?? null,
        after.start?.number ?? null,
        after.floor?.era ?? null,
        after.floor?.number ?? null,
        epoch,
      );
    }
    const earlier = new Map(before.eras.map((row) => [row.era, row]));
    for (const row of after.eras) {
      const old = earlier.get(row.era);
      if (old === row) continue;
      if (old?.predecessor !== row.predecessor || old === undefined) this.#saveEra(epoch, row);
      this.#saveHeld(epoch, row.era, old?.held ?? [], row.held);
      this.#saveHoles(epoch, row.era, old?.holes ?? [], row.holes, reason, nowMs);
    }
  }

  /** In order; those that begin between two sequences, where they are given. */
  holes(epoch: number, after: Sequence = FIRST, before: Sequence = LAST): HoleRow[] {
    const rows = this.#db.all(
      `SELECT era, first, last, reason FROM hole
       WHERE epoch = ? AND (era, first) > (?, ?) AND (era, first) < (?, ?) ORDER BY era, first`,
      epoch,
      after.era,
      after.number,
      before.era,
      before.number,
    );
    return rows.map((row) => ({
      era: parseEra(integer(row, 'era')),
      from: integer(row, 'first'),
      to: integer(row, 'last'),
      reason: reasonOf(row),
    }));
  }

  /** The hole that a number is in, and its age. */
  holeAt(epoch: number, { era, number }: Sequence): { reason: HoleReason; age: HoleAge } | undefined {
    const row = this.#db.get(
      'SELECT * FROM hole WHERE epoch = ? AND era = ? AND first <= ? AND last >= ?',
      epoch,
      era,
      number,
      number,
    );
    return row && { reason: reasonOf(row), age: ageOf(row) };
  }

  /** The hole without numbers that a frame of a device is in, and its age. */
  chainHoleAt(epoch: number, party: number, n: number): { reason: HoleReason; age: HoleAge } | undefined {
    const row = this.#db.get(
      'SELECT * FROM chain_hole WHERE epoch = ? AND party = ? AND first_n <= ? AND last_n >= ?',
      epoch,
      party,
      n,
      n,
    );
    return row && { reason: reasonOf(row), age: ageOf(row) };
  }

  /** Makes these numbers one hole of its own reason, apart from its neighbours. A part that was a hole keeps its age. */
  nameHole(epoch: number, { era, from, to, reason }: HoleRow, nowMs: number): void {
    const age = this.#cutHoles(epoch, era, { from, to }) ?? newborn(nowMs);
    this.#insertHole(epoch, era, { from, to }, reason, age);
  }

  chainHoles(epoch: number): ChainHoleRow[] {
    const rows = this.#db.all('SELECT * FROM chain_hole WHERE epoch = ? ORDER BY before_era, before_number', epoch);
    return rows.map((row) => ({
      party: integer(row, 'party'),
      fromN: integer(row, 'first_n'),
      toN: integer(row, 'last_n'),
      before: { era: parseEra(integer(row, 'before_era')), number: integer(row, 'before_number') },
      reason: reasonOf(row),
    }));
  }

  addChainHole(epoch: number, hole: ChainHoleRow, nowMs: number): void {
    this.#insertChainHole(epoch, hole, newborn(nowMs));
  }

  #insertChainHole(epoch: number, hole: ChainHoleRow, age: HoleAge): void {
    this.#anyChain.set(epoch, true);
    this.#db.run(
      `INSERT OR REPLACE INTO chain_hole
         (epoch, party, first_n, last_n, before_era, before_number, reason, since_ms, tries, due_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      epoch,
      hole.party,
      hole.fromN,
      hole.toN,
      hole.before.era,
      hole.before.number,
      hole.reason,
      age.sinceMs,
      age.tries,
      age.dueMs,
    );
  }

  /** A frame that was missing without a number has come: its hole shrinks around it. */
  fillChainHole(epoch: number, party: number, n: number): boolean {
    return this.#cutChainHoles(epoch, party, { from: n, to: n }).length > 0;
  }

  /** What was taken for a hole is none. */
  dropChainHole(epoch: number, { party, fromN, toN }: ChainHoleRow): void {
    this.#cutChainHoles(epoch, party, { from: fromN, to: toN });
  }

  /** Frames that were missing without a number do not come any more. */
  removeChainHole(epoch: number, party: number, range: Range): boolean {
    const cut = this.#cutChainHoles(epoch, party, range);
    for (const { hole, age } of cut) this.#insertChainHole(epoch, { ...hole, reason: 'removed' }, age);
    return cut.length > 0;
  }

  /** Takes a range out of the chain holes; answers the parts that it took. */
  #cutChainHoles(epoch: number, party: number, { from, to }: Range): { hole: ChainHoleRow; age: HoleAge }[] {
    const any = (): boolean => this.#db.get('SELECT 1 FROM chain_hole WHERE epoch = ? LIMIT 1', epoch) !== undefined;
    if (!this.#anyChain.of(epoch, any)) return [];
    const rows = this.#db.all(
      'SELECT * FROM chain_hole WHERE epoch = ? AND party = ? AND first_n <= ? AND last_n >= ?',
      epoch,
      party,
      to,
      from,
    );
    return rows.map((row) => {
      const first = integer(row, 'first_n');
      const last = integer(row, 'last_n');
      this.#db.run('DELETE FROM chain_hole WHERE epoch = ? AND party = ? AND first_n = ?', epoch, party, first);
      const before = { era: parseEra(integer(row, 'before_era')), number: integer(row, 'before_number') };
      const rest = { party, before, reason: reasonOf(row) };
      const age = ageOf(row);
      if (first < from) this.#insertChainHole(epoch, { ...rest, fromN: first, toN: from - 1 }, age);
      if (to < last) this.#insertChainHole(epoch, { ...rest, fromN: to + 1, toN: last }, age);
      return { hole: { ...rest, fromN: Math.max(first, from), toN: Math.min(last, to) }, age };
    });
  }

  #ranges(table: 'coverage' | 'hole', epoch: number): Map<number, Ranges> {
    const ranges = new Map<number, Range[]>();
    for (const row of this.#db.all(
      `SELECT era, first, last FROM ${table} WHERE epoch = ? ORDER BY era, first`,
      epoch,
    )) {
      const era = integer(row, 'era');
      const list = ranges.get(era) ?? [];
      const [range, previous] = [{ from: integer(row, 'first'), to: integer(row, 'last') }, list.at(-1)];
      // Holes of different reasons may touch; to the sequencer they are one.
      if (previous && previous.to + 1 === range.from) list[list.length - 1] = { from: previous.from, to: range.to };
      else list.push(range);
      ranges.set(era, list);
    }
    return ranges;
  }

  #saveEra(epoch: number, row: EraView): void {
    this.#db.run(
      'INSERT OR REPLACE INTO era (epoch, era, predecessor_era, predecessor_number) VALUES (?, ?, ?, ?)',
      epoch,
      row.era,
      row.predecessor?.era ?? null,
      row.predecessor?.number ?? null,
    );
  }

  #saveHeld(epoch: number, era: number, before: Ranges, after: Ranges): void {
    for (const range of before) {
      if (after.some((other) => other.from === range.from)) continue;
      this.#db.run('DELETE FROM coverage WHERE epoch = ? AND era = ? AND first = ?', epoch, era, range.from);
    }
    for (const range of after) {
      if (before.some((other) => other.from === range.from && other.to === range.to)) continue;
      this.#db.run(
        'INSERT OR REPLACE INTO coverage (epoch, era, first, last) VALUES (?, ?, ?, ?)',
        epoch,
        era,
        range.from,
        range.to,
      );
    }
  }

  #saveHoles(epoch: number, era: number, before: Ranges, after: Ranges, reason: HoleReason, nowMs: number): void {
    for (const gone of before.flatMap((range) => missing(after, range))) this.#cutHoles(epoch, era, gone);
    for (const added of after.flatMap((range) => missing(before, range))) {
      this.#insertHole(epoch, era, added, reason, newborn(nowMs));
    }
  }

  /** Takes numbers out of the holes; answers the age of the oldest of them. */
  #cutHoles(epoch: number, era: number, gone: Range): HoleAge | undefined {
    const rows = this.#db.all(
      'SELECT * FROM hole WHERE epoch = ? AND era = ? AND first <= ? AND last >= ? ORDER BY since_ms, first',
      epoch,
      era,
      gone.to,
      gone.from,
    );
    for (const row of rows) {
      const [first, last, age] = [integer(row, 'first'), integer(row, 'last'), ageOf(row)];
      this.#db.run('DELETE FROM hole WHERE epoch = ? AND era = ? AND first = ?', epoch, era, first);
      if (first < gone.from) this.#insertHole(epoch, era, { from: first, to: gone.from - 1 }, reasonOf(row), age);
      if (gone.to < last) this.#insertHole(epoch, era, { from: gone.to + 1, to: last }, reasonOf(row), age);
    }
    return rows[0] && ageOf(rows[0]);
  }

  #insertHole(epoch: number, era: number, range: Range, reason: HoleReason, age: HoleAge): void {
    this.#db.run(
      `INSERT OR REPLACE INTO hole (epoch, era, first, last, reason, since_ms, tries, due_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      epoch,
      era,
      range.from,
      range.to,
      reason,
      age.sinceMs,
      age.tries,
      age.dueMs,
    );
  }
}

function sequenceOf(row: Row, prefix: string): Sequence | undefined {
  const era = integerOrNull(row, `${prefix}_era`);
  return era === null ? undefined : { era: parseEra(era), number: integer(row, `${prefix}_number`) };
}

function newborn(nowMs: number): HoleAge {
  return { sinceMs: nowMs, tries: 0, dueMs: null };
}

function ageOf(row: Row): HoleAge {
  return { sinceMs: integer(row, 'since_ms'), tries: integer(row, 'tries'), dueMs: integerOrNull(row, 'due_ms') };
}

function reasonOf(row: Row): HoleReason {
  const reason = text(row, 'reason');
  return holeReasons.find((known) => known === reason) ?? 'awaiting sender';
}
