import { limits, parseAccountId, parseDeviceId, type AccountId, type DeviceAddress } from '@waxwing/protocol';
import type { Db } from './database.ts';
import type { Memo } from './memo.ts';
import { blob, integer, integerOrNull, text } from './row.ts';

/** Why ciphertext is held: the sender's device is in no verified list yet, or libsignal could not read it. */
export type HeldReason = 'unlisted device' | 'undecryptable';

export type HeldRow = { readonly id: number; readonly sender: DeviceAddress; readonly envelope: Uint8Array };

/** Ciphertext that cannot be read yet, kept after its ack until its cause changes or it ages. */
export class HeldStore {
  readonly #db: Db;
  /** Under one key: whether anything may be held. */
  readonly #any: Memo<boolean>;

  constructor(db: Db) {
    this.#db = db;
    this.#any = db.memo();
  }

  /** Keeps an envelope once, by its ciphertext, with the newest reason. */
  keep(
    sender: DeviceAddress,
    reason: HeldReason,
    ciphertextHash: Uint8Array,
    envelope: Uint8Array,
    nowMs: number,
  ): void {
    this.#any.set(0, true);
    this.#db.run(
      `INSERT INTO held (account, device, reason, ciphertext_hash, envelope, since_ms) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (account, device, ciphertext_hash) DO UPDATE SET reason = excluded.reason`,
      sender.account,
      sender.device,
      reason,
      ciphertextHash,
      envelope,
      nowMs,
    );
  }

  has(sender: DeviceAddress, ciphertextHash: Uint8Array): boolean {
    if (!this.#any.of(0, () => this.#db.get('SELECT 1 FROM held LIMIT 1') !== undefined)) return false;
    const row = this.#db.get(
      'SELECT 1 AS held FROM held WHERE account = ? AND device = ? AND ciphertext_hash = ?',
      sender.account,
      sender.device,
      ciphertextHash,
    );
    return row !== undefined;
  }

  /** What is held of an account behind this id, the oldest first, so many at a time. */
  of(account: AccountId, afterId = 0, limit: number = limits.drainBatchEntries): HeldRow[] {
    const rows = this.#db.all(
      'SELECT id, account, device, envelope FROM held WHERE account = ? AND id > ? ORDER BY id LIMIT ?',
      account,
      afterId,
      limit,
    );
    return rows.map((row) => ({
      id: integer(row, 'id'),
      sender: { account: parseAccountId(text(row, 'account')), device: parseDeviceId(integer(row, 'device')) },
      envelope: blob(row, 'envelope'),
    }));
  }

  accounts(reason: HeldReason): AccountId[] {
    const rows = this.#db.all('SELECT DISTINCT account FROM held WHERE reason = ?', reason);
    return rows.map((row) => parseAccountId(text(row, 'account')));
  }

  remove(id: number): void {
    this.#any.drop(0);
    this.#db.run('DELETE FROM held WHERE id = ?', id);
  }

  /** Drops what is older than a time, and the oldest beyond `heldMaxEntries` and `heldMaxBytes`. Its numbers stay holes. */
  age(olderThanMs: number): void {
    this.#db.run('DELETE FROM held WHERE since_ms < ?', olderThanMs);
    const last = this.#db.get(
      `SELECT max(id) AS id FROM
         (SELECT id, row_number() OVER newest AS count, sum(length(envelope)) OVER newest AS bytes FROM held
          WINDOW newest AS (ORDER BY id DESC))
       WHERE count > ? OR bytes > ?`,
      limits.heldMaxEntries,
      limits.heldMaxBytes,
    );
    const id = last && integerOrNull(last, 'id');
    if (typeof id === 'number') this.#db.run('DELETE FROM held WHERE id <= ?', id);
  }
}
