import type { Db } from './database.ts';
import { integer } from './row.ts';

/** How far a reader of the inbox is: done with `handled`, and given, perhaps, up to `offered`. */
export type ConsumerRow = { readonly handled: number; readonly offered: number };

export class ConsumerStore {
  readonly #db: Db;
  /** Readers that were given everything, and wait. */
  readonly #waiting = new Set<{ readonly name: string }>();
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

  /** A reader of this name waits for what comes next, until the answer is called. */
  wait(name: string): () => void {
    const reader = { name };
    this.#waiting.add(reader);
    return () => void this.#waiting.delete(reader);
  }

  /** What just came is about to be given to those who wait, up to this: noted with it, in one commit. Within its transaction. */
  offerToWaiting(upTo: number): void {
    for (const name of new Set([...this.#waiting].map((reader) => reader.name))) {
      const { handled, offered } = this.get(name);
      this.set(name, { handled, offered: Math.max(offered, upTo) });
    }
  }
}
