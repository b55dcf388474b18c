import type { Table } from '../engine/records.ts';
import type { Journal } from './journal.ts';
import { createRecent } from './recent.ts';

/** How one kind of record is kept in its SQL table. */
export type SqlTable<Key, Value> = {
  readonly textOf: (key: Key) => string;
  readonly bucketOf: (key: Key) => number;
  load(key: Key): Value | undefined;
  save(key: Key, value: Value): void;
  remove(key: Key): void;
};

/**
 * Records whose newest values are in memory until their bucket is written to SQL; behind them stands the SQL table.
 * Every change is noted in the journal, and the bucket reported as changed.
 */
export type TailTable<Key, Value> = Table<Key, Value> & {
  /** How many records are to be written. */
  readonly size: number;
  /** How many records of the bucket are to be written. */
  changed(bucket: number): number;
  /** Writes the bucket's records, inside the caller's transaction. They stay changed until `written`. */
  write(bucket: number): void;
  /** The transaction is durable. */
  written(bucket: number): void;
  /** Whether the newest value is still only in memory. */
  isChanged(key: Key): boolean;
  /** Forgets what was read from SQL, which has changed underneath. */
  forget(key: Key): void;
};

type Slot<Key, Value> = { readonly key: Key; readonly value: Value | undefined };

export function createTailTable<Key, Value>(
  sql: SqlTable<Key, Value>,
  o: { readonly journal: Journal; readonly onChange: (bucket: number) => void; readonly cached: number },
): TailTable<Key, Value> {
  const newest = new Map<string, Slot<Key, Value>>();
  const texts = new Map<number, Set<string>>();
  const clean = createRecent<Value>(o.cached);

  const put = (key: Key, value: Value | undefined): void => {
    const text = sql.textOf(key);
    const before = newest.get(text);
    newest.set(text, { key, value });
    if (before === undefined) {
      const bucket = sql.bucketOf(key);
      const inBucket = texts.get(bucket) ?? new Set();
      texts.set(bucket, inBucket.add(text));
      o.onChange(bucket);
      o.journal.note(() => {
        newest.delete(text);
        texts.get(bucket)?.delete(text);
      });
    } else {
      o.journal.note(() => newest.set(text, before));
    }
  };

  return {
    get(key) {
      const text = sql.textOf(key);
      const slot = newest.get(text);
      if (slot) return slot.value;
      const known = clean.get(text);
      if (known !== undefined) return known;
      const loaded = sql.load(key);
      if (loaded !== undefined) clean.set(text, loaded);
      return loaded;
    },
    set: put,
    delete: (key) => put(key, undefined),
    get size() {
      return newest.size;
    },
    changed: (bucket) => texts.get(bucket)?.size ?? 0,
    write(bucket) {
      for (const text of texts.get(bucket) ?? []) {
        const slot = newest.get(text);
        if (slot?.value === undefined) {
          if (slot) sql.remove(slot.key);
        } else sql.save(slot.key, slot.value);
      }
    },
    written(bucket) {
      for (const text of texts.get(bucket) ?? []) {
        const value = newest.get(text)?.value;
        newest.delete(text);
        if (value === undefined) clean.delete(text);
        else clean.set(text, value);
      }
      texts.delete(bucket);
    },
    isChanged: (key) => newest.has(sql.textOf(key)),
    forget: (key) => clean.delete(sql.textOf(key)),
  };
}
