import type { RandomBytes } from '@waxwing/protocol';
import { deviceKeyText } from '../device-key.ts';
import { applyEvent, type Part } from '../engine/apply.ts';
import type { RelayEvent } from '../engine/events.ts';
import type { Records } from '../engine/records.ts';
import type { StoreLimits } from '../store-limits.ts';
import { createByteWriter } from './byte-codec.ts';
import { bucketOfDevice, bucketOfHandle } from './buckets.ts';
import { blob, number, text, toRow } from './columns.ts';
import { emptyLog, inTransaction, openDatabase, type Db } from './database.ts';
import { createEnvelopes } from './envelopes.ts';
import { decodeEvents, encodeRows, noEvents } from './event-codec.ts';
import { createJournal } from './journal.ts';
import { relayMigrations } from './migrations/relay.ts';
import { createRelayTables } from './relay-tables.ts';
import { createRoom } from './room.ts';
import { createSweeper } from './sweeper.ts';
import { createTailEntries } from './tail-entries.ts';
import { createTailRows } from './tail-rows.ts';
import { createTailTable } from './tail-table.ts';

/** How many records one transaction writes to tables, and how many log rows it deletes: well under 5 ms. */
const RECORDS_PER_STEP = 384;
const LOG_ROWS_PER_STEP = 96;
/** A row of the log holds as many events as come to about so much: a row is dear, and so is a step that cuts large ones. */
const LOG_ROW_BYTES = 8_192;
/** Beyond so many, pending events that later ones overtake are let go: a full disk must not fill the memory. */
const PENDING_MAX = 4_096;
/** What a probe writes at least and at most. */
const PROBE_BYTES = 4_096;
const PROBE_MAX_BYTES = 262_144;
/** How many records of each kind stay in memory after they were read or written. */
const CACHED = 20_000;
/** Envelopes from this length on stand once on disk when several mailboxes hold them. */
const SHARED_FROM_BYTES = 256;

/**
 * relay.db. An event is durable as a row of the log; memory has what the events made of the tables (the tail); and bit by
 * bit, bucket by bucket, the tail is written to the tables and the log's head deleted. Opening = the tables, and the log
 * again for each bucket from where its tables are.
 *
 *     record ──▶ pending ──commit──▶ log + tail ──step──▶ tables
 *                   └────revert───▶ (nothing)
 */
export type RelayFile = {
  readonly incarnation: string;
  readonly records: Records;
  /** Makes the event true in memory; it is pending until `commit`, `keep` or `revert`. */
  record(event: RelayEvent): void;
  /** A place among the pending events to revert to. */
  mark(): Mark;
  /** Takes back the events recorded since the mark. */
  revert(mark: Mark): void;
  /** Makes all pending and kept events durable. Throws if the file cannot be written; then they are still pending. */
  commit(): void;
  /** Whether something pending may not be spoken of before it is durable. */
  mustCommit(): boolean;
  /** The pending events stay, and become durable with the next commit. */
  keep(): void;
  /** Throws if the file cannot be written, or not as much as a commit had wanted that it refused. */
  probe(): void;
  /** From now on, steps write what was recorded before the call before this one. */
  age(): void;
  /** How many records wait to be written to the tables. */
  backlog(): number;
  /** Writes a part of the aged tail, in one short transaction. Whether more is left to do. Throws if it cannot write. */
  step(): boolean;
  /** Deletes a part of what is past its time on disk. Whether more is left to do. Throws if it cannot write. */
  sweep(nowMs: number): boolean;
  /** What was deleted is then in no file any more. False while another program reads: it stays. */
  emptyLog(): boolean;
  /** Brings everything to the tables if it can, and closes the file. */
  close(): void;
};

type Mark = { readonly events: number; readonly changes: number };

export function openRelayFile(o: {
  readonly folder: string;
  readonly restored: boolean;
  readonly randomBytes: RandomBytes;
  readonly limits: StoreLimits;
  /** relay.db grows no larger than this. */
  readonly maxBytes?: number;
}): RelayFile {
  const { limits } = o;
  const db = openDatabase(o.folder, 'relay.db', relayMigrations);
  const incarnation = takeIncarnation(db, o.randomBytes, o.restored);

  const room = createRoom(db, o.maxBytes);
  const journal = createJournal();
  let lastId = 0;
  /** The first event of each bucket that its tables do not have. */
  const behind = new Map<number, number>();
  const onChange = (bucket: number): void => {
    if (!behind.has(bucket)) behind.set(bucket, lastId + 1);
  };
  const tables = createRelayTables(db);
  const envelopes = createEnvelopes(db);
  const tailOf = { journal, onChange, cached: CACHED };
  const mailboxes = createTailTable(tables.mailboxes, tailOf);
  const counters = createTailTable(tables.counters, tailOf);
  const memories = createTailTable(tables.memories, tailOf);
  const entries = createTailEntries(db, { journal, onChange });
  const shares = createTailTable(tables.shares, tailOf);
  const seen = createTailTable(tables.seen, tailOf);
  const entriesOf: Parameters<typeof createTailRows>[0]['entriesOf'] = (device) =>
    mailboxes.get(device)?.fill.entries ?? 0;
  const rows = createTailRows({ envelopes, journal, onChange, entriesOf });
  const records = { counters, memories, entries, mailboxes, shares, seen, rows };
  const tails = [counters, memories, entries, mailboxes, shares, seen];

  const addLog = db.prepare('INSERT INTO log VALUES (?, ?)');
  const cutLog = db.prepare('DELETE FROM log WHERE id <= ?');
  const setBucket = db.prepare('INSERT OR REPLACE INTO bucket VALUES (?, ?)');

  /** What the last commit wanted to write, if it could not. */
  let refusedBytes = 0;
  /** Recorded, and not durable yet. */
  let pending: RelayEvent[] = [];
  const writer = createByteWriter();

  const record = (event: RelayEvent): void => {
    pending.push(event);
    if (event.type === 'committed' || event.type === 'direct') shareEnvelopes(event.deliveries.map((d) => d.envelope));
    applyEvent(records, event, limits);
  };
  const shareEnvelopes = (all: readonly Uint8Array[]): void => {
    const once = new Set<Uint8Array>();
    for (const envelope of all) {
      if (once.has(envelope) && envelope.length >= SHARED_FROM_BYTES) envelopes.share(envelope);
      once.add(envelope);
    }
  };
  /** Adds the pending events to the log, in the caller's transaction; answers the length of each row. */
  const log = (): number[] => {
    const sizes: number[] = [];
    for (const events of encodeRows(writer, pending, LOG_ROW_BYTES)) {
      sizes.push(events.length);
      addLog.run(lastId + sizes.length, events);
    }
    return sizes;
  };
  const logged = (sizes: readonly number[]): void => {
    lastId += sizes.length;
    room.logged(sizes);
    pending = [];
    journal.clear();
  };

  replay();

  let [aged, younger] = [lastId, lastId];
  const sweeper = createSweeper({ db, limits, counters, mailboxes, record });

  /** The buckets that have waited longest, as many as fit into a step, but at least one. */
  const nextBuckets = (): number[] => {
    const waiting = [...behind].filter(([, since]) => since <= aged).sort(([, a], [, b]) => a - b);
    const chosen: number[] = [];
    let size = 0;
    for (const [bucket] of waiting) {
      size += tails.reduce((sum, tail) => sum + tail.changed(bucket), rows.changed(bucket));
      if (chosen.length > 0 && size > RECORDS_PER_STEP) break;
      chosen.push(bucket);
    }
    return chosen;
  };

  const step = (): boolean => {
    const chosen = nextBuckets();
    const begin = Math.min(lastId + 1, ...[...behind].filter(([b]) => !chosen.includes(b)).map(([, since]) => since));
    try {
      const cut = Math.min(begin - 1, lastId - room.rows + LOG_ROWS_PER_STEP);
      const [sizes, collected] = inTransaction(db, () => {
        const added = log();
        for (const bucket of chosen) {
          rows.writeDeletions(bucket);
          for (const tail of tails) tail.write(bucket);
          rows.writeRows(bucket);
          setBucket.run(bucket, lastId + added.length);
        }
        cutLog.run(cut);
        return [added, envelopes.collect()] as const;
      });
      envelopes.ended(true);
      room.cut(cut - (lastId - room.rows));
      logged(sizes);
      for (const bucket of chosen) {
        rows.written(bucket);
        for (const tail of tails) tail.written(bucket);
        behind.delete(bucket);
      }
      return collected || cut < begin - 1 || [...behind.values()].some((since) => since <= aged);
    } catch (error) {
      envelopes.ended(false);
      throw error;
    }
  };
  const age = (): void => {
    [aged, younger] = [younger, lastId + (pending.length > 0 ? 1 : 0)];
  };

  /** The events of the log, for each part that is not up to date in its table. */
  function replay(): void {
    const upTo = new Map<number, number>();
    for (const value of db.prepare('SELECT * FROM bucket').all()) {
      const row = toRow(value) ?? {};
      upTo.set(number(row, 'bucket'), number(row, 'written_up_to'));
    }
    lastId = Math.max(0, ...upTo.values());
    for (const value of db.prepare('SELECT * FROM log ORDER BY id').all()) {
      const row = toRow(value) ?? {};
      const id = number(row, 'id');
      room.logged([blob(row, 'events').length]);
      lastId = id - 1;
      const applies = (part: Part): boolean => (upTo.get(bucketOf(part)) ?? 0) < id;
      for (const event of decodeEvents(blob(row, 'events'))) applyEvent(records, event, limits, applies);
      lastId = id;
    }
    lastId = Math.max(lastId, ...upTo.values());
    journal.clear();
  }

  return {
    incarnation,
    records,
    record,
    mark: () => ({ events: pending.length, changes: journal.mark }),
    revert({ events, changes }) {
      journal.undoTo(changes);
      pending.length = events;
    },
    commit() {
      if (pending.length === 0) return;
      const sizes = inTransaction(db, () => {
        const added = log();
        refusedBytes = added.reduce((sum, size) => sum + size, 0);
        room.claim(added);
        return added;
      });
      refusedBytes = 0;
      logged(sizes);
    },
    mustCommit: () => pending.some(({ type }) => type === 'committed' || type === 'direct' || type === 'dropped'),
    keep() {
      journal.clear();
      if (pending.length > PENDING_MAX) pending = withoutOvertaken(pending);
    },
    probe() {
      const padding = noEvents(Math.min(Math.max(PROBE_BYTES, refusedBytes), PROBE_MAX_BYTES));
      inTransaction(db, () => {
        addLog.run(lastId + 1, padding);
        room.claim([padding.length]);
      });
      lastId += 1;
      room.logged([padding.length]);
      refusedBytes = 0;
    },
    age,
    backlog: () => tails.reduce((sum, tail) => sum + tail.size, rows.size),
    step,
    sweep: (nowMs) => sweeper.sweep(nowMs),
    emptyLog: () => emptyLog(db),
    close() {
      try {
        age();
        age();
        while (step());
        emptyLog(db);
      } finally {
        db.close();
      }
    },
  };
}

/** Of one mailbox's trims and expiries only the last counts. */
function withoutOvertaken(events: readonly RelayEvent[]): RelayEvent[] {
  const overtaken = new Set<string>();
  const left: RelayEvent[] = [];
  for (const event of events.toReversed()) {
    if (event.type === 'trimmed' || event.type === 'expired') {
      const key = `${event.type}.${deviceKeyText(event.device)}`;
      if (overtaken.has(key)) continue;
      overtaken.add(key);
    }
    left.push(event);
  }
  return left.reverse();
}

function bucketOf(part: Part): number {
  return part.type === 'handle' ? bucketOfHandle(part.handle) : bucketOfDevice(part.device);
}

/** The incarnation in the file: drawn when the file is new, and anew when it was restored. */
function takeIncarnation(db: Db, randomBytes: RandomBytes, restored: boolean): string {
  const row = toRow(db.prepare('SELECT incarnation FROM store').get());
  if (row && !restored) return text(row, 'incarnation');
  const incarnation = Buffer.from(randomBytes(16)).toString('base64url');
  inTransaction(db, () => db.prepare('INSERT OR REPLACE INTO store VALUES (1, ?)').run(incarnation));
  return incarnation;
}
