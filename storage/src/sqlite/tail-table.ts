import type { Table } from '../engine/records.ts';
import type { Journal } from './journal.ts';
import { createRecent } from './recent.ts';

/** How one kind of record is kept in its SQL table. */
export type SqlTable<Key, Value> = {
  readonly textOf: (key: Key) => string;
  readonly isSame: (a: Key, b: Key) => boolean;
  readonly bucketOf: (key: Key) => number;
  load(key: Key): Value | undefined;
  save(key: Key, value: Value): void;
  remove(key: Key): void;
};

/** What is in memory until its bucket is written to SQL. */
export type BucketTail = {
  /** How many records are to be written. */
  readonly size: number;
  /** How many rows of the bucket are to be written. */
  changed(bucket: number): number;
  /** Writes the bucket's records, inside the caller's transaction. They stay changed until `written`. */
  write(bucket: number): void;
  /** The transaction is durable. */
  written(bucket: number): void;
};

/**
 * Records whose newest values are in memory until their bucket is written to SQL; behind them stands the SQL table.
 * Every change is noted in the journal, and the bucket reported as changed.
 */
export type TailTable<Key, Value> = Table<Key, Value> &
  BucketTail & {
    /** Forgets what was read from SQL, which has changed underneath. */
    forget(key: Key): void;
  };

/** The newest value of a key; undefined where it has none. */
class Slot<Key, Value> {
  readonly key: Key;
  readonly text: string;
  value: Value | undefined;
  isChanged = false;

  constructor(key: Key, text: string, value: Value | undefined) {
    this.key = key;
    this.text = text;
    this.value = value;
  }

  restore(before: Value | undefined): void {
    this.value = before;
  }
}

export function createTailTable<Key, Value>(
  sql: SqlTable<Key, Value>,
  o: { readonly journal: Journal; readonly onChange: (bucket: number) => void; readonly cached: number },
): TailTable<Key, Value> {
  const changed = new Map<string, Slot<Key, Value>>();
  const buckets = new Map<number, Set<Slot<Key, Value>>>();
  const clean = createRecent<Slot<Key, Value>>(o.cached);
  /** A record is mostly asked for several times in a row: then its key's text is not made again. */
  let last: Slot<Key, Value> | undefined;

  const find = (key: Key): Slot<Key, Value> => {
    if (last && sql.isSame(last.key, key)) return last;
    const text = sql.textOf(key);
    last = changed.get(text) ?? clean.get(text) ?? load(key, text);
    return last;
  };
  const load = (key: Key, text: string): Slot<Key, Value> => {
    const slot = new Slot(key, text, sql.load(key));
    clean.set(text, slot);
    return slot;
  };
  const asBefore = {
    restore(slot: Slot<Key, Value>): void {
      slot.isChanged = false;
      changed.delete(slot.text);
      buckets.get(sql.bucketOf(slot.key))?.delete(slot);
    },
  };
  const put = (key: Key, value: Value | undefined): void => {
    const slot = find(key);
    o.journal.note(slot, slot.value);
    slot.value = value;
    if (slot.isChanged) return;
    slot.isChanged = true;
    changed.set(slot.text, slot);
    const bucket = sql.bucketOf(slot.key);
    const inBucket = buckets.get(bucket);
    if (inBucket) inBucket.add(slot);
    else buckets.set(bucket, new Set([slot]));
    o.onChange(bucket);
    o.journal.note(asBefore, slot);
  };

  return {
    get: (key) => find(key).value,
    set: put,
    delete: (key) => put(key, undefined),
    get size() {
      return changed.size;
    },
    changed: (bucket) => buckets.get(bucket)?.size ?? 0,
    write(bucket) {
      for (const { key, value } of buckets.get(bucket) ?? []) {
        if (value === undefined) sql.remove(key);
        else sql.save(key, value);
      }
    },
    written(bucket) {
      for (const slot of buckets.get(bucket) ?? []) {
        slot.isChanged = false;
        changed.delete(slot.text);
        clean.set(slot.text, slot);
      }
      buckets.delete(bucket);
    },
    forget(key) {
      clean.delete(sql.textOf(key));
      last = undefined;
    },
  };
}
