import { createHash } from 'node:crypto';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';

const TABLES = ['device_list', 'prekeys', 'one_time_key', 'username'];

/** Looks from outside whether a server's directory changed: all that it holds of accounts, lists, keys and names. */
export class DirectoryWatch {
  readonly #db: BetterSqlite3.Database;
  #version: unknown;
  #hash: string;

  constructor(data: string) {
    this.#db = new BetterSqlite3(join(data, 'directory.db'), { readonly: true });
    this.#version = this.#db.pragma('data_version', { simple: true });
    this.#hash = this.#read();
  }

  /** Whether it holds something else than at the last call. */
  changed(): boolean {
    // Another connection's commit moves it on, and so may the emptying of the log.
    const version = this.#db.pragma('data_version', { simple: true });
    if (version === this.#version) return false;
    this.#version = version;
    const hash = this.#read();
    const isSame = hash === this.#hash;
    this.#hash = hash;
    return !isSame;
  }

  close(): void {
    this.#db.close();
  }

  #read(): string {
    const hash = createHash('sha256');
    for (const table of TABLES) {
      for (const row of this.#db.prepare(`SELECT * FROM ${table}`).raw().iterate()) hash.update(JSON.stringify(row));
    }
    return hash.digest('hex');
  }
}
