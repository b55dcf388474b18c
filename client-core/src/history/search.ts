import { marks } from '../snippet.ts';
import type { Db } from './database.ts';
import { MESSAGE_COLUMNS, toMessage, type MessageRow } from './message-row.ts';
import { lastKey, type OrderKey } from './order-key.ts';
import { text } from './row.ts';

/** A message that was found, and its text with `marks` around what was searched for. */
export type FoundRow = { readonly message: MessageRow; readonly marked: string };

/** The search over the shown messages. */
export class SearchStore {
  readonly #db: Db;
  constructor(db: Db) {
    this.#db = db;
  }

  /** Splits a text into the tokens of the index. */
  tokens(of: string): readonly string[] {
    return this.#db.tokens(of);
  }

  /** Newest first, from `before` (exclusive) down. `match` is a query of FTS5. */
  find(match: string, before: OrderKey | undefined, limit: number): FoundRow[] {
    const { ms, tie } = before ?? lastKey;
    // The inner query reads no more of the index than it answers, as rowid is the index's own order. It is asked first.
    const rows = this.#db.all(
      `SELECT ${MESSAGE_COLUMNS}, hit.marked FROM
         (SELECT rowid AS id, highlight(search, 0, ?, ?) AS marked FROM search
          WHERE search MATCH ? AND rowid < ((? << 20) | ?) ORDER BY rowid DESC LIMIT ?) AS hit
       CROSS JOIN message ON message.id = hit.id CROSS JOIN party ON party.id = message.party
       CROSS JOIN epoch ON epoch.id = message.epoch ORDER BY hit.id DESC`,
      marks.open,
      marks.close,
      match,
      ms,
      tie,
      limit,
    );
    return rows.map((row) => ({ message: toMessage(row), marked: text(row, 'marked') }));
  }
}
