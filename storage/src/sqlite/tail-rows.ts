import { deviceKeyText, isSameDevice, type DeviceKey } from '../device-key.ts';
import type { MailboxRow, Records } from '../engine/records.ts';
import { bucketOfDevice } from './buckets.ts';
import { MAX_NUMBER, type Envelopes } from './envelopes.ts';
import type { Journal } from './journal.ts';

/** A mailbox's entries since its bucket was last written, and which of those on disk are gone. */
type Tail = {
  readonly device: DeviceKey;
  /** By number. */
  readonly rows: MailboxRow[];
  goneUpTo: number;
  readonly gone: Set<number>;
  /** Nothing on disk is this mailbox's: it was dropped since. */
  abandoned: boolean;
};

/** The entries of mailboxes: the newest in memory, behind them those on disk. */
export type TailRows = Records['rows'] & {
  /** How many rows are to be written, and mailboxes with rows to be written or deleted. */
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
  /** How many rows all tails have. */
  let rowsInAll = 0;
  let last: Tail | undefined;

  const tailOf = (device: DeviceKey): Tail | undefined => {
    if (last && isSameDevice(last.device, device)) return last;
    const tail = tails.get(deviceKeyText(device));
    if (tail) last = tail;
    return tail;
  };
  const change = (device: DeviceKey): Tail => {
    const found = tailOf(device);
    if (found) return found;
    const tail: Tail = { device, rows: [], goneUpTo: 0, gone: new Set(), abandoned: false };
    const bucket = bucketOfDevice(device);
    const inBucket = buckets.get(bucket) ?? new Set();
    tails.set(deviceKeyText(device), tail);
    buckets.set(bucket, inBucket.add(tail));
    last = tail;
    o.onChange(bucket);
    journal.note(unbegun, tail);
    return tail;
  };
  const put = (tail: Tail, inPlaceOf: Tail): void => {
    const inBucket = buckets.get(bucketOfDevice(tail.device));
    tails.set(deviceKeyText(tail.device), tail);
    inBucket?.delete(inPlaceOf);
    inBucket?.add(tail);
    rowsInAll += tail.rows.length - inPlaceOf.rows.length;
    last = undefined;
  };

  // How each change is taken back.
  const unbegun = {
    restore(tail: Tail): void {
      tails.delete(deviceKeyText(tail.device));
      buckets.get(bucketOfDevice(tail.device))?.delete(tail);
      last = undefined;
    },
  };
  const unappended = {
    restore(tail: Tail): void {
      tail.rows.pop();
      rowsInAll -= 1;
    },
  };
  const unremoved = {
    restore({ tail, at, rows }: { readonly tail: Tail; readonly at: number; readonly rows: readonly MailboxRow[] }) {
      tail.rows.splice(at, 0, ...rows);
      rowsInAll += rows.length;
    },
  };
  const ungone = {
    restore({ tail, number }: { readonly tail: Tail; readonly number: number }): void {
      tail.gone.delete(number);
    },
  };
  const ungoneUpTo = {
    restore({ tail, goneUpTo }: { readonly tail: Tail; readonly goneUpTo: number }): void {
      tail.goneUpTo = goneUpTo;
    },
  };
  const undropped = {
    restore({ before, after }: { readonly before: Tail; readonly after: Tail }): void {
      put(before, after);
    },
  };

  /** Most mailboxes are empty on disk: then it is not asked. */
  const onDisk = (device: DeviceKey, tail: Tail | undefined): boolean =>
    tail?.abandoned !== true && o.entriesOf(device) > (tail?.rows.length ?? 0);
  const isLeft = (tail: Tail | undefined, number: number): boolean =>
    tail === undefined || (number > tail.goneUpTo && !tail.gone.has(number));

  const remove = (tail: Tail, at: number, count: number): void => {
    if (count === 0) return;
    const rows = tail.rows.splice(at, count);
    rowsInAll -= rows.length;
    journal.note(unremoved, { tail, at, rows });
  };

  return {
    append(device, row) {
      const tail = change(device);
      tail.rows.push(row);
      rowsInAll += 1;
      journal.note(unappended, tail);
    },
    *heads(device, from, upTo = MAX_NUMBER) {
      const tail = tailOf(device);
      if (onDisk(device, tail)) {
        for (const head of envelopes.heads(device, from, upTo)) if (isLeft(tail, head.number)) yield head;
      }
      for (const { number, sender, committedMs, envelope } of rowsFrom(tail?.rows ?? [], from)) {
        if (number > upTo) return;
        yield { number, sender, committedMs, bytes: envelope.length };
      }
    },
    *read(device, after) {
      const tail = tailOf(device);
      if (onDisk(device, tail)) {
        for (const row of envelopes.read(device, after)) if (isLeft(tail, row.number)) yield row;
      }
      yield* rowsFrom(tail?.rows ?? [], after + 1);
    },
    delete(device, number) {
      const tail = change(device);
      const at = placeOf(tail.rows, number);
      if (tail.rows[at]?.number === number) remove(tail, at, 1);
      else if (isLeft(tail, number)) {
        tail.gone.add(number);
        journal.note(ungone, { tail, number });
      }
    },
    deleteUpTo(device, upTo) {
      const tail = change(device);
      remove(tail, 0, placeOf(tail.rows, upTo + 1));
      const { goneUpTo } = tail;
      if (upTo <= goneUpTo) return;
      tail.goneUpTo = upTo;
      journal.note(ungoneUpTo, { tail, goneUpTo });
    },
    drop(device) {
      const before = change(device);
      const after: Tail = { device, rows: [], goneUpTo: 0, gone: new Set(), abandoned: true };
      put(after, before);
      journal.note(undropped, { before, after });
    },
    get size() {
      return tails.size + rowsInAll;
    },
    changed(bucket) {
      let count = 0;
      for (const tail of buckets.get(bucket) ?? []) count += 1 + tail.rows.length + tail.gone.size;
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
      for (const { device, rows } of buckets.get(bucket) ?? []) envelopes.insert(device, rows);
    },
    written(bucket) {
      for (const { device, rows } of buckets.get(bucket) ?? []) {
        tails.delete(deviceKeyText(device));
        rowsInAll -= rows.length;
      }
      buckets.delete(bucket);
      last = undefined;
    },
  };
}

/** Where the row of this number stands, or would stand. */
function placeOf(rows: readonly MailboxRow[], number: number): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle]?.number ?? number) < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The rows from this number on; the one that was given last may go meanwhile. */
function* rowsFrom(rows: readonly MailboxRow[], from: number): Generator<MailboxRow, void> {
  let at = placeOf(rows, from);
  for (let row = rows[at]; row; row = rows[at]) {
    yield row;
    if (rows[at] === row) at += 1;
  }
}
