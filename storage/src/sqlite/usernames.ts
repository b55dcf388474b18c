import { uuidToBytes, type AccountId } from '@waxwing/protocol';
import type { StoreLimits } from '../store-limits.ts';
import { account, optionalNumber, toRow } from './columns.ts';
import type { Db } from './database.ts';

/** How many names one call deletes. */
const NAMES_PER_SWEEP = 128;

/** Usernames in directory.db, by hash. Writes happen in the caller's transaction. */
export type SqliteUsernames = {
  /** Whether the account may have the name now. */
  isFree(owner: AccountId, hash: Uint8Array, nowMs: number): boolean;
  /** Gives the account the name, which is free, in place of the one it had. */
  take(owner: AccountId, hash: Uint8Array, nowMs: number): void;
  set(owner: AccountId, hash: Uint8Array, nowMs: number): 'stored' | 'username_taken';
  find(hash: Uint8Array): AccountId | undefined;
  giveUp(owner: AccountId, nowMs: number): void;
  /** Deletes some names that have rested. Whether more may be left. */
  sweep(nowMs: number): boolean;
};

export function createSqliteUsernames(db: Db, limits: StoreLimits): SqliteUsernames {
  const load = db.prepare('SELECT account, given_up_ms FROM username WHERE hash = ?');
  const save = db.prepare('INSERT OR REPLACE INTO username VALUES (?, ?, NULL)');
  const giveUp = db.prepare('UPDATE username SET given_up_ms = ? WHERE account = ? AND given_up_ms IS NULL');
  const rested = db.prepare(`
    DELETE FROM username WHERE hash IN (
      SELECT hash FROM username WHERE given_up_ms IS NOT NULL AND given_up_ms <= ? LIMIT ${NAMES_PER_SWEEP})`);
  const isFree: SqliteUsernames['isFree'] = (owner, hash, nowMs) => {
    const row = toRow(load.get(hash));
    if (row === undefined || account(row) === owner) return true;
    const givenUpMs = optionalNumber(row, 'given_up_ms');
    return givenUpMs !== undefined && givenUpMs + limits.usernameRestMs <= nowMs;
  };
  const take: SqliteUsernames['take'] = (owner, hash, nowMs) => {
    giveUp.run(nowMs, uuidToBytes(owner));
    save.run(hash, uuidToBytes(owner));
  };
  return {
    isFree,
    take,
    set(owner, hash, nowMs) {
      if (!isFree(owner, hash, nowMs)) return 'username_taken';
      take(owner, hash, nowMs);
      return 'stored';
    },
    find(hash) {
      const row = toRow(load.get(hash));
      return row && optionalNumber(row, 'given_up_ms') === undefined ? account(row) : undefined;
    },
    giveUp: (owner, nowMs) => void giveUp.run(nowMs, uuidToBytes(owner)),
    sweep: (nowMs) => rested.run(nowMs - limits.usernameRestMs).changes === NAMES_PER_SWEEP,
  };
}
