import type { Db } from './database.ts';
import type { OrderKey } from './order-key.ts';
import { reachFrom, rangesJson, type Reach } from './receipts.ts';
import { integer } from './row.ts';
import { add, type Range, type Ranges } from '../sync/ranges.ts';

/** What of a device's frames was marked read: up to `head` but for what is missing or unread, and what of it was told. */
export type ReadMark = {
  readonly epoch: number;
  readonly party: number;
  readonly head: number;
  readonly told: Reach;
  /** How often something was marked that is not told yet. */
  readonly untold: number;
};

/**
 * Which messages of others are unread. A message is unread from its arrival until a mark covers it while it is shown: one
 * that comes late, before the mark, is unread. `conversation.unread` counts those that are shown.
 */
export class ReadMarkStore {
  readonly #db: Db;
  constructor(db: Db) {
    this.#db = db;
  }

  /** How many messages of a conversation are shown and unread. */
  unread(conversation: number): number {
    const row = this.#db.get('SELECT unread FROM conversation WHERE id = ?', conversation);
    return row ? integer(row, 'unread') : 0;
  }

  /**
   * Marks what is shown up to a message, itself included; the oldest `limit` of it at most. Answers how many were marked:
   * fewer than `limit` when all are. Costs what it marks.
   */
  mark(conversation: number, upTo: OrderKey, limit: number): number {
    const unread = 'conversation = ? AND unread = 1 AND shown = 1 AND id <= ((? << 20) | ?)';
    const where = [conversation, upTo.ms, upTo.tie] as const;
    const parties = this.#db.all(
      `SELECT epoch, party, max(n) AS head, count(*) AS messages FROM
         (SELECT epoch, party, n FROM message WHERE ${unread} ORDER BY id LIMIT ?) GROUP BY epoch, party`,
      ...where,
      limit,
    );
    const marked = parties.reduce((sum, row) => sum + integer(row, 'messages'), 0);
    if (marked === 0) return 0;
    for (const row of parties) {
      this.#db.run(
        `INSERT INTO read_mark (epoch, party, head, untold) VALUES (?, ?, ?, 1)
         ON CONFLICT DO UPDATE SET head = max(head, excluded.head), untold = untold + 1`,
        integer(row, 'epoch'),
        integer(row, 'party'),
        integer(row, 'head'),
      );
    }
    this.#db.run(
      `UPDATE message SET unread = 0 WHERE id IN (SELECT id FROM message WHERE ${unread} ORDER BY id LIMIT ?)`,
      ...where,
      limit,
    );
    this.#db.run('UPDATE conversation SET unread = unread - ? WHERE id = ?', marked, conversation);
    return marked;
  }

  /** The n of a device within a range whose messages are here and unread. */
  unreadN(epoch: number, party: number, within: Range): Ranges {
    const rows = this.#db.all(
      'SELECT n FROM message WHERE epoch = ? AND party = ? AND n BETWEEN ? AND ? AND unread = 1 ORDER BY n',
      epoch,
      party,
      within.from,
      within.to,
    );
    return rows.reduce<Ranges>((ranges, row) => {
      const n = integer(row, 'n');
      return add(ranges, { from: n, to: n });
    }, []);
  }

  /** Marks that are not told yet. */
  untold(): ReadMark[] {
    return this.#db.all('SELECT * FROM read_mark WHERE untold > 0').map((row) => ({
      epoch: integer(row, 'epoch'),
      party: integer(row, 'party'),
      head: integer(row, 'head'),
      told: reachFrom(row, 'told_n', 'told_except'),
      untold: integer(row, 'untold'),
    }));
  }

  /** The sender was told so much of a mark; what was marked since then is not told yet. */
  setTold({ epoch, party, head, untold }: ReadMark, reach: Reach): void {
    this.#db.run(
      'UPDATE read_mark SET told_n = ?, told_except = ?, untold = untold - ? WHERE epoch = ? AND party = ?',
      reach.n,
      rangesJson(reach.except),
      // What did not fit into a watermark is still to be told.
      reach.n < head ? 0 : untold,
      epoch,
      party,
    );
  }
}
