import type { Handle } from '@waxwing/protocol';
import { handleFromBytes, handleToBytes } from '@waxwing/protocol';
import type { DeviceKey } from '../device-key.ts';
import { needsExpiry } from '../engine/mailbox-rows.ts';
import type { RelayEvent } from '../engine/events.ts';
import type { Mailbox } from '../engine/records.ts';
import { liveCounter, type Counter } from '../rules/counter.ts';
import type { StoreLimits } from '../store-limits.ts';
import { blob, deviceKey, toRow } from './columns.ts';
import { inTransaction, type Db } from './database.ts';
import type { TailTable } from './tail-table.ts';

/** How much one call deletes of each table: well under 5 ms. */
const ROWS_PER_SWEEP = 128;
/** A row of `entry` holds many. */
const ENTRY_ROWS_PER_SWEEP = 16;
const MAILBOXES_PER_SWEEP = 16;
const ENVELOPES_PER_SWEEP = 16;
const COUNTERS_PER_SWEEP = 32;
/** A shared envelope outlives the entries that name it. */
const SHARED_LONGER_MS = 3_600_000;

/** Deletes from relay.db what is past its time, whether anyone touches it or not. */
export type Sweeper = {
  /** Deletes a part. Whether more is left to do. */
  sweep(nowMs: number): boolean;
};

export function createSweeper(o: {
  readonly db: Db;
  readonly limits: StoreLimits;
  readonly counters: TailTable<Handle, Counter>;
  readonly mailboxes: TailTable<DeviceKey, Mailbox>;
  readonly record: (event: RelayEvent) => void;
}): Sweeper {
  const { db, limits } = o;
  const tables = [
    {
      delete: deleteSome(db, 'entry', 'handle, era, first', 'committed_ms', ENTRY_ROWS_PER_SWEEP),
      ttlMs: limits.mailboxTtlMs,
    },
    {
      delete: deleteSome(
        db,
        'seen',
        'account, device, added_in, sender_account, sender_device, sender_added_in, message_id',
        'taken_ms',
      ),
      ttlMs: limits.directDedupeMs,
    },
    {
      delete: deleteSome(db, 'shared_envelope', 'id', 'committed_ms', ENVELOPES_PER_SWEEP),
      ttlMs: limits.mailboxTtlMs + SHARED_LONGER_MS,
    },
  ];
  const idleCounters = db.prepare(`SELECT handle FROM counter WHERE used_ms <= ? LIMIT ${COUNTERS_PER_SWEEP}`);
  const removeCounter = db.prepare('DELETE FROM counter WHERE handle = ?');
  const removeMemories = db.prepare('DELETE FROM sender_memory WHERE handle = ?');
  const dueMailboxes = ['oldest_ms <= ?', 'oldest_ms > ?'].map((due) =>
    db.prepare(
      `SELECT account, device, added_in FROM mailbox WHERE entries > 0 AND ${due} LIMIT ${MAILBOXES_PER_SWEEP}`,
    ),
  );

  const sweepCounters = (nowMs: number): boolean => {
    let swept = 0;
    for (const value of idleCounters.all(nowMs - limits.counterTtlMs)) {
      const handle = handleFromBytes(blob(toRow(value) ?? {}, 'handle'));
      if (liveCounter(o.counters.get(handle), nowMs, limits.counterTtlMs)) continue;
      removeMemories.run(handleToBytes(handle));
      removeCounter.run(handleToBytes(handle));
      o.counters.forget(handle);
      swept += 1;
    }
    return swept === COUNTERS_PER_SWEEP;
  };

  /** What is due may have gone since its mailbox was last written; that shows in memory. */
  const sweepMailboxes = (nowMs: number): boolean => {
    let swept = 0;
    const bounds = [nowMs - limits.mailboxTtlMs, nowMs];
    dueMailboxes.forEach((due, index) => {
      for (const value of due.all(bounds[index])) {
        const device = deviceKey(toRow(value) ?? {});
        const mailbox = o.mailboxes.get(device);
        if (mailbox === undefined || !needsExpiry(mailbox, nowMs, limits)) continue;
        o.record({ type: 'expired', device, nowMs });
        swept += 1;
      }
    });
    return swept >= MAILBOXES_PER_SWEEP;
  };

  return {
    sweep(nowMs) {
      const more = inTransaction(db, () => {
        const cut = tables.map((table) => table.delete(nowMs - table.ttlMs, nowMs + table.ttlMs));
        return sweepCounters(nowMs) || cut.includes(true);
      });
      return sweepMailboxes(nowMs) || more;
    },
  };
}

/** Deletes some rows with a date at or before `past`, or after `ahead`. Whether there may be more. */
function deleteSome(
  db: Db,
  table: string,
  key: string,
  date: string,
  atOnce = ROWS_PER_SWEEP,
): (past: number, ahead: number) => boolean {
  const [byPast, byAhead] = [`${date} <= ?`, `${date} > ?`].map((due) =>
    db.prepare(`DELETE FROM ${table} WHERE (${key}) IN (SELECT ${key} FROM ${table} WHERE ${due} LIMIT ${atOnce})`),
  );
  return (past, ahead) => (byPast?.run(past).changes ?? 0) >= atOnce || (byAhead?.run(ahead).changes ?? 0) >= atOnce;
}
