import { deviceKeyText, type DeviceKey } from '../device-key.ts';
import type { MailboxRow, Records } from '../engine/records.ts';
import { bucketOfDevice } from './buckets.ts';
import type { Envelopes } from './envelopes.ts';
import type { Journal } from './journal.ts';

/** A mailbox's entries since its bucket was last written, and which of those on disk are gone. */
type Tail = {
  readonly device: DeviceKey;
  readonly rows: Map<number, MailboxRow>;
  goneUpTo: number;
  readonly gone: Set<number>;
  /** Nothing on disk is this mailbox's: it was dropped since. */
  abandoned: boolean;
};

/** The entries of mailboxes: the newest in memory, behind them those on disk. */
export type TailRows = Records['rows'] & {
  /** How many mailboxes have rows to be written or deleted. */
  readonly size: number;
  /** How many rows of the bucket are to be written or deleted. */
  changed(bucket: number): number;
  /** Deletes on disk, before the bucket's mailboxes are written. */
  writeDeletions(bucket: number): void;
  /** Adds on disk, after the bucket's mailboxes were written. */
  writeRows(bucket: number): void;
  /** The transaction is durable. */
  written(bucket: number): void;
};

export function createTailRows(o: {
  readonly envelopes: Envelopes;
  readonly journal: Journal;
  readonly onChange: (bucket: number) => void;
  /** How many entries the mailbox has now, in memory and on disk. */
  readonly entriesOf: (device: DeviceKey) => number;
}): TailRows {
  const { envelopes, journal } = o;
  const tails = new Map<string, Tail>();
  const buckets = new Map<number, Set<Tail>>();

  const change = (device: DeviceKey): Tail => {
    const text = deviceKeyText(device);
    const found = tails.get(text);
    if (found) return found;
    const tail: Tail = { device, rows: new Map(), goneUpTo: 0, gone: new Set(), abandoned: false };
    const bucket = bucketOfDevice(device);
    const inBucket = buckets.get(bucket) ?? new Set();
    tails.set(text, tail);
    buckets.set(bucket, inBucket.add(tail));
    o.onChange(bucket);
    journal.note(() => {
      tails.delete(text);
      buckets.get(bucket)?.delete(tail);
    });
    return tail;
  };
  const tailOf = (device: DeviceKey): Tail | undefined => tails.get(deviceKeyText(device));

  /** Most mailboxes are empty on disk: then it is not asked. */
  const onDisk = (device: DeviceKey, tail: Tail | undefined): boolean =>
    tail?.abandoned !== true && o.entriesOf(device) > (tail?.rows.size ?? 0);
  const isLeft = (tail: Tail | undefined, number: number): boolean =>
    tail === undefined || (number > tail.goneUpTo && !tail.gone.has(number));

  const remove = (tail: Tail, number: number): void => {
    const row = tail.rows.get(number);
    if (row === undefined) return;
    tail.rows.delete(number);
    // A map keeps the order of insertion: a row that is taken back must find its place among the others again.
    journal.note(() => {
      const rows = [...tail.rows.values(), row].sort((a, b) => a.number - b.number);
      tail.rows.clear();
      for (const each of rows) tail.rows.set(each.number, each);
    });
  };

  return {
    append(device, row) {
      const { rows } = change(device);
      rows.set(row.number, row);
      journal.note(() => rows.delete(row.number));
    },
    *heads(device, from) {
      const tail = tailOf(device);
      if (onDisk(device, tail)) {
        for (const head of envelopes.heads(device, from)) if (isLeft(tail, head.number)) yield head;
      }
      for (const { number, sender, committedMs, envelope } of tail?.rows.values() ?? []) {
        if (number >= from) yield { number, sender, committedMs, bytes: envelope.length };
      }
    },
    *read(device, after) {
      const tail = tailOf(device);
      if (onDisk(device, tail)) {
        for (const row of envelopes.read(device, after)) if (isLeft(tail, row.number)) yield row;
      }
      for (const row of tail?.rows.values() ?? []) if (row.number > after) yield row;
    },
    delete(device, number) {
      const tail = change(device);
      if (tail.rows.has(number)) remove(tail, number);
      else if (isLeft(tail, number)) {
        tail.gone.add(number);
        journal.note(() => tail.gone.delete(number));
      }
    },
    deleteUpTo(device, upTo) {
      const tail = change(device);
      for (const number of [...tail.rows.keys()]) if (number <= upTo) remove(tail, number);
      const { goneUpTo } = tail;
      if (upTo <= goneUpTo) return;
      tail.goneUpTo = upTo;
      journal.note(() => {
        tail.goneUpTo = goneUpTo;
      });
    },
    drop(device) {
      const before = change(device);
      const text = deviceKeyText(device);
      const bucket = bucketOfDevice(device);
      const after: Tail = { device, rows: new Map(), goneUpTo: 0, gone: new Set(), abandoned: true };
      const put = (tail: Tail, inPlaceOf: Tail): void => {
        tails.set(text, tail);
        buckets.get(bucket)?.delete(inPlaceOf);
        buckets.get(bucket)?.add(tail);
      };
      put(after, before);
      journal.note(() => put(before, after));
    },
    get size() {
      return tails.size;
    },
    changed(bucket) {
      let count = 0;
      for (const tail of buckets.get(bucket) ?? []) count += 1 + tail.rows.size + tail.gone.size;
      return count;
    },
    writeDeletions(bucket) {
      for (const { device, goneUpTo, gone, abandoned } of buckets.get(bucket) ?? []) {
        if (abandoned) envelopes.abandon(device);
        else if (goneUpTo > 0) envelopes.deleteUpTo(device, goneUpTo);
        if (!abandoned) for (const number of gone) if (number > goneUpTo) envelopes.delete(device, number);
      }
    },
    writeRows(bucket) {
      for (const { device, rows } of buckets.get(bucket) ?? []) {
        for (const row of rows.values()) envelopes.insert(device, row);
      }
    },
    written(bucket) {
      for (const { device } of buckets.get(bucket) ?? []) tails.delete(deviceKeyText(device));
      buckets.delete(bucket);
    },
  };
}
