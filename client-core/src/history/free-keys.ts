import { compareSequences, type Sequence } from '@waxwing/protocol';
import type { Db } from './database.ts';
import type { Memo } from './memo.ts';
import { keyOf, sequenceOf, type NewMessage } from './message-row.ts';
import { compareKeys, halves, keyBetween, lastKey, nextKey, type OrderKey } from './order-key.ts';
import { integer } from './row.ts';

/** Where a message stands. */
type Edge = { readonly key: OrderKey; readonly epoch: number; readonly sequence: Sequence };

/** `isNewest`: no message of its conversation stands behind it. */
export type FreeKey = { readonly type: 'free'; readonly key: OrderKey; readonly isNewest: boolean };

/**
 * Finds the keys of new messages. Most come behind the last of their conversation, and behind all: what is newest is
 * remembered.
 */
export class FreeKeys {
  readonly #db: Db;
  /** By conversation. */
  readonly #newest: Memo<Edge>;
  /** Under one key: the highest in the file. */
  readonly #highest: Memo<OrderKey>;

  constructor(db: Db) {
    this.#db = db;
    this.#newest = db.memo();
    this.#highest = db.memo();
  }

  /** A key between the message's neighbours that no other conversation has taken. */
  find(message: NewMessage): FreeKey | { readonly type: 'full'; readonly before: OrderKey } {
    const { conversation, serverTimeMs } = message;
    const last = this.#newest.of(conversation, () =>
      this.#edge('message.conversation = ? ORDER BY message.id DESC LIMIT 1', conversation),
    );
    const isNewest = last === undefined || this.#stands(last, message) < 0;
    const before = isNewest ? last?.key : this.#neighbour(message, '<', 'DESC');
    const after = isNewest ? undefined : this.#neighbour(message, '>', 'ASC');
    // Where its own time is taken up to the neighbour, the middle between both may be free.
    for (const timeMs of [serverTimeMs, ...(after ? [after.ms + 1] : [])]) {
      let key = keyBetween(before, after, timeMs);
      while (key && this.#isTaken(key)) key = nextKey(key);
      if (key && (after === undefined || compareKeys(key, after) < 0)) return { type: 'free', key, isNewest };
    }
    if (after === undefined) throw new TypeError('no key is left behind the newest message');
    return { type: 'full', before: after };
  }

  /** A message was put in at a key that was found for it. */
  taken({ conversation, epoch, sequence }: NewMessage, { key, isNewest }: FreeKey): void {
    if (isNewest) this.#newest.set(conversation, { key, epoch, sequence });
    const highest = this.#highest.get(0);
    if (highest && compareKeys(key, highest) > 0) this.#highest.set(0, key);
  }

  /** Messages of a conversation have other keys now. */
  moved(conversation: number): void {
    this.#newest.drop(conversation);
    this.#highest.drop(0);
  }

  #isTaken(key: OrderKey): boolean {
    const highest = this.#highest.of(0, () => {
      const row = this.#db.get(
        'SELECT id >> 20 AS key_ms, id & 1048575 AS key_tie FROM message WHERE id <= (? << 20) | ? ORDER BY id DESC LIMIT 1',
        ...halves(lastKey),
      );
      return row && keyOf(row);
    });
    if (highest === undefined || compareKeys(key, highest) > 0) return false;
    return this.#db.get('SELECT 1 AS taken FROM message WHERE id = (? << 20) | ?', ...halves(key)) !== undefined;
  }

  #edge(condition: string, ...values: number[]): Edge | undefined {
    const row = this.#db.get(
      `SELECT id >> 20 AS key_ms, id & 1048575 AS key_tie, epoch, era, number FROM message WHERE ${condition}`,
      ...values,
    );
    return row && { key: keyOf(row), epoch: integer(row, 'epoch'), sequence: sequenceOf(row) };
  }

  /** Negative where `edge` stands before the message. */
  #stands(edge: Edge, message: NewMessage): number {
    if (edge.epoch === message.epoch) return compareSequences(edge.sequence, message.sequence);
    const order = this.#epochOrder(message.conversation);
    return order.indexOf(edge.epoch) - order.indexOf(message.epoch);
  }

  #epochOrder(conversation: number): number[] {
    const rows = this.#db.all('SELECT id FROM epoch WHERE conversation = ? ORDER BY number, handle', conversation);
    return rows.map((row) => integer(row, 'id'));
  }

  /** The nearest message before or after, in this epoch or else in the epochs on that side. */
  #neighbour(message: NewMessage, side: '<' | '>', direction: 'ASC' | 'DESC'): OrderKey | undefined {
    const { era, number } = message.sequence;
    const same = this.#edge(
      `message.epoch = ? AND message.conversation = ? AND (message.era, message.number) ${side} (?, ?)
       ORDER BY message.era ${direction}, message.number ${direction} LIMIT 1`,
      message.epoch,
      message.conversation,
      era,
      number,
    );
    if (same) return same.key;
    const order = this.#epochOrder(message.conversation);
    const here = order.indexOf(message.epoch);
    const others = side === '<' ? order.slice(0, here).reverse() : order.slice(here + 1);
    for (const epoch of others) {
      const edge = this.#edge(
        `message.epoch = ? AND message.conversation = ? ORDER BY message.id ${direction} LIMIT 1`,
        epoch,
        message.conversation,
      );
      if (edge) return edge.key;
    }
    return undefined;
  }
}
