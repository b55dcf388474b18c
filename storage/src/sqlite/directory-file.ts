import { sameBytes, type AccountId, type DeviceList } from '@waxwing/protocol';
import type { DirectoryStore, NewAccount } from '../directory-store.ts';
import type { StoreLimits } from '../store-limits.ts';
import { emptyLog, inTransaction, openDatabase } from './database.ts';
import { createSqliteLists, type SqliteLists } from './lists.ts';
import { directoryMigrations } from './migrations/directory.ts';
import { createSqlitePrekeys, type SqlitePrekeys } from './prekeys.ts';
import { createSqliteUsedTickets } from './used-tickets.ts';
import { createSqliteUsernames, type SqliteUsernames } from './usernames.ts';

/** directory.db: accounts, lists, generations, prekeys, usernames, used tickets. Every write happens inside `transaction`. */
export type DirectoryFile = {
  readonly lists: SqliteLists;
  readonly prekeys: SqlitePrekeys;
  readonly usernames: SqliteUsernames;
  register(account: NewAccount, nowMs: number): Awaited<ReturnType<DirectoryStore['register']>>;
  newestList(account: AccountId): DeviceList | undefined;
  /** What `work` does is durable when this returns, or none of it if it throws. */
  transaction<T>(work: () => T): T;
  /** Inside a transaction: if `work` throws, nothing of it is kept and the rest stays. */
  part<T>(work: () => T): T;
  /** Deletes some of what is past its time. Whether more may be left. */
  sweep(nowMs: number): boolean;
  /** What was deleted is then in no file any more. False while another program reads: it stays. */
  emptyLog(): boolean;
  close(): void;
};

export function openDirectoryFile(o: {
  readonly folder: string;
  /** The relay store's. */
  readonly incarnation: string;
  /** The file may be older than what was last served: devices have drawn newer generations since. */
  readonly restored: boolean;
  readonly limits: StoreLimits;
}): DirectoryFile {
  const { limits, incarnation } = o;
  const db = openDatabase(o.folder, 'directory.db', directoryMigrations);
  if (o.restored) db.exec('DELETE FROM generation');
  const prekeys = createSqlitePrekeys(db, { incarnation, limits });
  const lists = createSqliteLists(db, { onRemoved: (device) => prekeys.forget(device) });
  const usernames = createSqliteUsernames(db, limits);
  const usedTickets = createSqliteUsedTickets(db);

  const publishFirst = ({ list, prekeys: upload }: NewAccount): boolean =>
    list.list.devices.every(({ device, addedIn }) => {
      return prekeys.publish({ account: list.list.account, device, addedIn }, upload) === 'stored';
    });
  const beginPart = db.prepare('SAVEPOINT part');
  const keepPart = db.prepare('RELEASE part');
  const part = <T>(work: () => T): T => {
    beginPart.run();
    try {
      const result = work();
      keepPart.run();
      return result;
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK TO part; RELEASE part');
      lists.forget();
      throw error;
    }
  };

  return {
    lists,
    prekeys,
    usernames,
    newestList: (account) => lists.newest(account),
    register(asked, nowMs) {
      const { list, usernameHash, ticket } = asked;
      const { account } = list.list;
      const stored = lists.deviceList(account);
      if (stored) return sameBytes(stored.signed, list.signed) ? 'same' : 'account_exists';
      if (ticket && usedTickets.has(ticket, nowMs)) return 'ticket_used';
      if (usernameHash && !usernames.isFree(account, usernameHash, nowMs)) return 'username_taken';
      if (!publishFirst(asked)) return 'key_conflict';
      lists.add(list);
      if (usernameHash) usernames.take(account, usernameHash, nowMs);
      if (ticket) usedTickets.add(ticket);
      return 'created';
    },
    transaction(work) {
      try {
        return inTransaction(db, work);
      } catch (error) {
        lists.forget();
        throw error;
      }
    },
    part,
    sweep: (nowMs) =>
      inTransaction(db, () => {
        const more = [usernames.sweep(nowMs), usedTickets.sweep(nowMs)];
        return more.includes(true);
      }),
    emptyLog: () => emptyLog(db),
    close() {
      emptyLog(db);
      db.close();
    },
  };
}
