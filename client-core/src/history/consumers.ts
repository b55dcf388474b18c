import type { Db } from './database.ts';
import { integer } from './row.ts';

/** How far a reader of the inbox is: done with `handled`, and given, perhaps, up to `offered`. */
export type ConsumerRow = { readonly handled: number; readonly offered: number };

export class ConsumerStore {
  readonly #db: Db;
  constructor(db: Db) {
    this.#db = db;
  }

  get(name: string): ConsumerRow {
    const row = this.#db.get('SELECT handled, offered FROM consumer WHERE name = ?', name);
    return row ? { handled: integer(row, 'handled'), offered: integer(row, 'offered') } : { handled: 0, offered: 0 };
  }

  set(name: string, { handled, offered }: ConsumerRow): void {
    this.#db.run('INSERT OR REPLACE INTO consumer (name, handled, offered) VALUES (?, ?, ?)', name, handled, offered);
  }
}
