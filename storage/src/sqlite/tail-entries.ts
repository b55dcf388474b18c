import { handleToBytes, type Handle } from '@waxwing/protocol';
import type { HeldEntry, Records, EntryKey } from '../engine/records.ts';
import { bucketOfHandle } from './buckets.ts';
import { blob, number, toRow } from './columns.ts';
import type { Db } from './database.ts';
import { decodeEntries, encodeEntries } from './entry-codec.ts';
import type { Journal } from './journal.ts';
import type { BucketTail } from './tail-table.ts';

/** A row of the table holds at most so many entries, committed within so long: it goes when the last of them is due. */
const ENTRIES_PER_ROW = 256;
const SPAN_PER_ROW_MS = 60_000;
/** And with so many accounts, counted for each entry: a row is read, and deleted, as a whole. */
const NAMES_PER_ROW = 512;

/** A row as it was read, and its place in the table. */
type ReadRow = {
  readonly handle: Handle;
  readonly era: number;
  readonly first: number;
  readonly entries: ReadonlyMap<number, HeldEntry>;
};

type Recorded = { readonly key: EntryKey; readonly entry: HeldEntry };

/** A handle's entries since its bucket was last written, in the order in which they were committed. */
type Tail = { readonly handle: Handle; readonly recorded: Recorded[] };

/**
 * Whose message a number is: the newest in memory, behind them those on disk, where a row holds all that a handle got
 * between two writes. An entry is set once.
 */
export type TailEntries = Records['entries'] & BucketTail;

export function createTailEntries(
  db: Db,
  o: { readonly journal: Journal; readonly onChange: (bucket: number) => void },
): TailEntries {
  const load = db.prepare(`
    SELECT first, entries FROM entry WHERE handle = ? AND era = ? AND first <= ? ORDER BY first DESC LIMIT 1`);
  const save = db.prepare('INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?)');
  const tails = new Map<Handle, Tail>();
  const buckets = new Map<number, Set<Tail>>();
  let size = 0;
  /** The row that was read last: many numbers of one row are asked for in a row. */
  let read: ReadRow | undefined;

  const begin = (handle: Handle): Tail => {
    const tail: Tail = { handle, recorded: [] };
    const bucket = bucketOfHandle(handle);
    const inBucket = buckets.get(bucket) ?? new Set();
    tails.set(handle, tail);
    buckets.set(bucket, inBucket.add(tail));
    o.onChange(bucket);
    return tail;
  };
  const takeBack = {
    restore(tail: Tail): void {
      tail.recorded.pop();
      size -= 1;
      if (tail.recorded.length > 0) return;
      tails.delete(tail.handle);
      buckets.get(bucketOfHandle(tail.handle))?.delete(tail);
    },
  };
  const rowsOf = (bucket: number): Recorded[][] =>
    [...(buckets.get(bucket) ?? [])].flatMap(({ recorded }) => inRows(recorded));

  return {
    get(key) {
      const recorded = tails.get(key.handle)?.recorded.findLast((one) => isOf(one, key));
      if (recorded) return recorded.entry;
      const row = toRow(load.get(handleToBytes(key.handle), key.era, key.number));
      if (row === undefined) return undefined;
      const first = number(row, 'first');
      if (read?.handle !== key.handle || read.era !== key.era || read.first !== first) {
        const found = decodeEntries(blob(row, 'entries'));
        const entries = new Map(found.map(({ number, entry }) => [number, entry]));
        read = { handle: key.handle, era: key.era, first, entries };
      }
      return read.entries.get(key.number);
    },
    set(key, entry) {
      const tail = tails.get(key.handle) ?? begin(key.handle);
      tail.recorded.push({ key, entry });
      size += 1;
      o.journal.note(takeBack, tail);
    },
    get size() {
      return size;
    },
    changed: (bucket) => rowsOf(bucket).length,
    write(bucket) {
      for (const row of rowsOf(bucket)) {
        const [first, last] = [row[0], row.at(-1)];
        if (!first || !last) continue;
        const { handle, era, number } = first.key;
        const entries = encodeEntries(row.map(({ key, entry }) => ({ number: key.number, entry })));
        save.run(handleToBytes(handle), era, number, last.entry.committedMs, entries);
      }
    },
    written(bucket) {
      for (const { handle, recorded } of buckets.get(bucket) ?? []) {
        size -= recorded.length;
        tails.delete(handle);
      }
      buckets.delete(bucket);
      read = undefined;
    },
  };
}

function isOf({ key }: Recorded, { era, number }: EntryKey): boolean {
  return key.number === number && key.era === era;
}

/** A handle's entries as they stand in rows: of one era each, and of little time. */
function inRows(recorded: readonly Recorded[]): Recorded[][] {
  const rows: Recorded[][] = [];
  let row: Recorded[] = [];
  let names = 0;
  for (const one of recorded) {
    const [first, last] = [row[0], row.at(-1)];
    const fits =
      first !== undefined &&
      last !== undefined &&
      row.length < ENTRIES_PER_ROW &&
      names + one.entry.accounts.length <= NAMES_PER_ROW &&
      one.key.era === first.key.era &&
      one.entry.committedMs >= last.entry.committedMs &&
      one.entry.committedMs < first.entry.committedMs + SPAN_PER_ROW_MS;
    if (!fits) {
      row = [];
      names = 0;
      rows.push(row);
    }
    row.push(one);
    names += 1 + one.entry.accounts.length;
  }
  return rows;
}
