import type { Db } from './database.ts';
import { blobOrNull, integer } from './row.ts';

/**
 * What becomes of the device's own prekeys; their private parts are entries of the crypto. The signed prekey and the
 * last-resort Kyber key of one time are a pair under one id.
 *
 *     made ──(uploaded, as the same bytes until that is known)──▶ published ──(the next pair is)──▶ retired ──▶ forgotten
 */
export class PrekeyStore {
  readonly #db: Db;
  constructor(db: Db) {
    this.#db = db;
  }

  /** What was kept of uploads that were not answered yet. */
  upload(): Uint8Array | undefined {
    const row = this.#db.get('SELECT prekey_upload FROM device');
    return (row && blobOrNull(row, 'prekey_upload')) ?? undefined;
  }

  setUpload(upload: Uint8Array | undefined): void {
    this.#db.run('UPDATE device SET prekey_upload = ?', upload ?? null);
  }

  /** Keys are made that are to be uploaded; `repeatedKeysAtMs` says when the newest pair was. */
  made(upload: Uint8Array, nextPrekeyId: number, repeatedKeysAtMs: number): void {
    this.setUpload(upload);
    this.#db.run('UPDATE device SET next_prekey_id = ?, repeated_keys_at_ms = ?', nextPrekeyId, repeatedKeysAtMs);
  }

  /** The server has this pair: all others are retired. */
  published(pair: number, nowMs: number): void {
    this.#db.run(
      `INSERT INTO retired_prekey (id, retired_at_ms)
       SELECT CAST(key AS INTEGER), ? FROM crypto WHERE kind = 'signed_prekey' AND key <> ?
       ON CONFLICT (id) DO NOTHING`,
      nowMs,
      String(pair),
    );
  }

  /** The server will never take this pair: another is due at once. The keys stay as long as retired ones. */
  refused(pair: number, nowMs: number): void {
    this.#db.run('UPDATE device SET repeated_keys_at_ms = 0');
    this.#db.run('INSERT OR IGNORE INTO retired_prekey (id, retired_at_ms) VALUES (?, ?)', pair, nowMs);
  }

  /** The pairs that were retired `keptMs` ago. One from a time that has not come counts from now on. */
  forgettable(nowMs: number, keptMs: number): { readonly pairs: readonly number[]; readonly isAhead: boolean } {
    const rows = this.#db.all('SELECT id FROM retired_prekey WHERE retired_at_ms <= ?', nowMs - keptMs);
    const ahead = this.#db.get('SELECT id FROM retired_prekey WHERE retired_at_ms > ? LIMIT 1', nowMs);
    return { pairs: rows.map((row) => integer(row, 'id')), isAhead: ahead !== undefined };
  }

  /** Deletes what `forgettable` names, with the base keys that are remembered for their last-resort keys. */
  forget(nowMs: number, keptMs: number): void {
    this.#db.run('UPDATE retired_prekey SET retired_at_ms = ? WHERE retired_at_ms > ?', nowMs, nowMs);
    for (const pair of this.forgettable(nowMs, keptMs).pairs) {
      const id = String(pair);
      this.#db.run(`DELETE FROM crypto WHERE kind IN ('signed_prekey', 'kyber_prekey') AND key = ?`, id);
      // From '7.' up to what follows all that begin with it.
      this.#db.run(`DELETE FROM crypto WHERE kind = 'used_base_key' AND key >= ? AND key < ?`, `${id}.`, `${id}/`);
      this.#db.run('DELETE FROM retired_prekey WHERE id = ?', pair);
    }
  }
}
