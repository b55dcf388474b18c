import type { Ticket } from '../directory-store.ts';
import type { Db } from './database.ts';

/** How many marks one call deletes. */
const TICKETS_PER_SWEEP = 128;

/** Marks of used tickets in directory.db. Writes happen in the caller's transaction. */
export type SqliteUsedTickets = {
  has(ticket: Ticket, nowMs: number): boolean;
  add(ticket: Ticket): void;
  /** Deletes some marks whose tickets are refused for their age. Whether more may be left. */
  sweep(nowMs: number): boolean;
};

export function createSqliteUsedTickets(db: Db): SqliteUsedTickets {
  const find = db.prepare('SELECT 1 FROM used_ticket WHERE hash = ? AND keep_until_ms > ?');
  const save = db.prepare('INSERT OR REPLACE INTO used_ticket VALUES (?, ?)');
  const remove = db.prepare(`
    DELETE FROM used_ticket WHERE hash IN (
      SELECT hash FROM used_ticket WHERE keep_until_ms <= ? LIMIT ${TICKETS_PER_SWEEP})`);
  return {
    has: ({ hash }, nowMs) => find.get(hash, nowMs) !== undefined,
    add: ({ hash, keepUntilMs }) => void save.run(hash, keepUntilMs),
    sweep: (nowMs) => remove.run(nowMs).changes === TICKETS_PER_SWEEP,
  };
}
