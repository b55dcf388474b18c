import type { CryptoChange, CryptoKind, CryptoView } from '../session/crypto.ts';
import type { Db } from './database.ts';
import { blob } from './row.ts';

/** The crypto's entries in the file. */
export class CryptoEntries implements CryptoView {
  readonly #db: Db;
  constructor(db: Db) {
    this.#db = db;
  }

  get(kind: CryptoKind, key: string): Uint8Array | undefined {
    const row = this.#db.get('SELECT bytes FROM crypto WHERE kind = ? AND key = ?', kind, key);
    return row && blob(row, 'bytes');
  }

  write(changes: Iterable<CryptoChange>): void {
    for (const { kind, key, bytes } of changes) {
      if (bytes) this.#db.run('INSERT OR REPLACE INTO crypto (kind, key, bytes) VALUES (?, ?, ?)', kind, key, bytes);
      else this.#db.run('DELETE FROM crypto WHERE kind = ? AND key = ?', kind, key);
    }
  }
}
