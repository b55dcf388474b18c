import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { handleToBytes, type AccountId, type Handle } from '@waxwing/protocol';
import { decodeEvents } from '../../storage/src/sqlite/event-codec.ts';

type LogRow = { readonly id: number; readonly events: Uint8Array };

/** Looks from outside what a relay's store took, in its log and its tables. */
export class RelayWatch {
  readonly #db: BetterSqlite3.Database;

  constructor(data: string) {
    this.#db = new BetterSqlite3(join(data, 'relay.db'), { readonly: true });
  }

  /** The newest event so far. */
  mark(): number {
    return Number(this.#db.prepare('SELECT coalesce(max(id), 0) FROM log').pluck().get());
  }

  /**
   * Whether anything by this account was stored since. What the store does by itself is not by it; nor, for an account that
   * was let in, the beginning of its mailbox, which may be written after `ready`.
   */
  hasStored(account: AccountId, since: number, wasLetIn: boolean): boolean {
    const rows = this.#db.prepare('SELECT id, events FROM log WHERE id > ?').all(since) as LogRow[];
    return rows.some(({ events }) =>
      decodeEvents(events).some((event) => {
        if (event.type === 'expired' || event.type === 'dropped') return false;
        if (event.type === 'mailbox_begun' && wasLetIn) return false;
        return (
          (event.type === 'committed' || event.type === 'direct' ? event.sender : event.device).account === account
        );
      }),
    );
  }

  /** Whether anything is kept of a handle. */
  hasHandle(handle: Handle): boolean {
    const bytes = Buffer.from(handleToBytes(handle));
    const kept = this.#db.prepare(
      'SELECT 1 FROM counter WHERE handle = ? UNION SELECT 1 FROM sender_memory WHERE handle = ?',
    );
    if (kept.get(bytes, bytes) !== undefined) return true;
    const rows = this.#db.prepare('SELECT id, events FROM log').all() as LogRow[];
    return rows.some(({ events }) =>
      decodeEvents(events).some((event) => event.type === 'committed' && event.handle === handle),
    );
  }

  close(): void {
    this.#db.close();
  }
}
