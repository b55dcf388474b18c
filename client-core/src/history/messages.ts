import type { MessageId, Sequence } from '@waxwing/protocol';
import type { Db } from './database.ts';
import { FreeKeys } from './free-keys.ts';
import type { Memo } from './memo.ts';
import { keyOf, MESSAGE_COLUMNS, MESSAGE_SOURCE, toMessage, type MessageRow, type NewMessage } from './message-row.ts';
import { halves, lastKey, type OrderKey } from './order-key.ts';
import { integer, textOrNull } from './row.ts';

/** What changes of a message. */
type MessageState = {
  readonly shown: boolean;
  readonly late: boolean;
  readonly inbox: number | null;
  readonly unread: boolean;
};

/** The messages of the device's history, each once, in their order. */
export class MessageStore {
  readonly #db: Db;
  readonly #keys: FreeKeys;
  /** By epoch: whether messages may wait to be shown. */
  readonly #anyWaiting: Memo<boolean>;
  /** Under one key: the last place in the inbox. */
  readonly #lastInbox: Memo<number>;
  /** By party: whether it is of another account. */
  readonly #others: Memo<boolean>;
  #moves = 0;

  constructor(db: Db) {
    this.#db = db;
    this.#keys = new FreeKeys(db);
    this.#anyWaiting = db.memo();
    this.#lastInbox = db.memo();
    this.#others = db.memo();
  }

  /** Rises whenever messages move: while it is the same, a row's id is the same message's. */
  get moves(): number {
    return this.#moves;
  }

  /** The message of this sender under this id, if it is here. */
  find(messageId: MessageId, party: number): MessageRow | undefined {
    return this.#one('message.message_id = ? AND message.party = ?', messageId, party);
  }

  /** The message that stands at a sequence. */
  byPlace(epoch: number, { era, number }: Sequence): MessageRow | undefined {
    return this.#one('message.epoch = ? AND message.era = ? AND message.number = ?', epoch, era, number);
  }

  /** A message by its id alone, or in a conversation; own ones first, should a sender have repeated another's id. */
  byId(messageId: MessageId, conversation?: number): MessageRow | undefined {
    const where = conversation === undefined ? '' : 'AND message.conversation = ?';
    const values = conversation === undefined ? [messageId] : [messageId, conversation];
    return this.#one(`message.message_id = ? ${where} ORDER BY message.own DESC LIMIT 1`, ...values);
  }

  /**
   * Puts a message into its place. It is not shown and not in the inbox until `release`. False where one of this sender
   * under this id is here already.
   */
  insert(message: NewMessage): boolean {
    const unread = this.#isUnread(message);
    const inserted = this.#insert(message, () => ({ shown: false, late: false, inbox: null, unread }));
    if (inserted) this.#anyWaiting.set(message.epoch, true);
    return inserted;
  }

  /** `insert` and `release` of a message that nothing holds back. */
  insertShown(message: NewMessage): boolean {
    const unread = this.#isUnread(message);
    const inserted = this.#insert(message, (key, isNewest) => {
      const inbox = message.own ? null : this.lastInbox() + 1;
      const late = inbox !== null && !isNewest && this.#isFollowed(message.conversation, key);
      return { shown: true, late, inbox, unread };
    });
    if (inserted && unread) this.#countUnread(message.conversation);
    return inserted;
  }

  /** What comes of another account is. */
  #isUnread({ own, party }: NewMessage): boolean {
    const isOther = (): boolean =>
      this.#db.get('SELECT 1 FROM party WHERE id = ? AND account IN (SELECT account FROM device)', party) === undefined;
    return !own && this.#others.of(party, isOther);
  }

  #countUnread(conversation: number): void {
    this.#db.run('UPDATE conversation SET unread = unread + 1 WHERE id = ?', conversation);
  }

  /** Moves a message to another sequence, late where what follows it there came before it: its row and its search row together. */
  move(message: MessageRow, sequence: Sequence): void {
    const { shown } = this.#db.get('SELECT shown FROM message WHERE id = (? << 20) | ?', ...halves(message.key)) ?? {};
    this.#moves += 1;
    this.#unindex(message.key);
    this.#db.run('DELETE FROM message WHERE id = (? << 20) | ?', ...halves(message.key));
    this.#keys.moved(message.conversation);
    const { inbox, unread } = message;
    this.#insert({ ...message, sequence }, (key) => {
      const late = message.late || (inbox !== null && this.#isFollowed(message.conversation, key, inbox));
      return { shown: shown === 1, late, inbox, unread };
    });
  }

  /** Messages of an epoch that are not shown yet, in order: all, or those before a sequence. */
  waiting(epoch: number, before: Sequence | undefined): MessageRow[] {
    if (!this.isAnyWaiting(epoch)) return [];
    const { era, number } = before ?? { era: Number.MAX_SAFE_INTEGER, number: 0 };
    return this.#all(
      `message.epoch = ? AND message.shown = 0 AND (message.era, message.number) < (?, ?)
       ORDER BY message.era, message.number`,
      epoch,
      era,
      number,
    );
  }

  /** Whether messages of an epoch are not shown yet. */
  isAnyWaiting(epoch: number): boolean {
    const any = (): boolean =>
      this.#db.get('SELECT 1 FROM message WHERE epoch = ? AND shown = 0 LIMIT 1', epoch) !== undefined;
    return this.#anyWaiting.of(epoch, any);
  }

  /**
   * Shows a message, which can be searched from then on; one of others also enters the inbox, late if what follows it is
   * there, and counts as unread.
   */
  release(message: MessageRow): void {
    const inbox = message.own ? null : this.lastInbox() + 1;
    const late = inbox !== null && this.#isFollowed(message.conversation, message.key);
    this.#anyWaiting.drop(message.epoch);
    this.#db.run(
      'UPDATE message SET shown = 1, late = ?, inbox = ? WHERE id = (? << 20) | ?',
      late ? 1 : 0,
      inbox,
      ...halves(message.key),
    );
    this.#index(message.key);
    if (message.unread) this.#countUnread(message.conversation);
    if (inbox !== null) this.#lastInbox.set(0, inbox);
  }

  /** Whether one that follows is in the inbox, before this place in it if one is named. */
  #isFollowed(conversation: number, key: OrderKey, before = Number.MAX_SAFE_INTEGER): boolean {
    const later = this.#db.get(
      'SELECT 1 FROM message WHERE conversation = ? AND id > (? << 20) | ? AND inbox < ? LIMIT 1',
      conversation,
      ...halves(key),
      before,
    );
    return later !== undefined;
  }

  lastInbox(): number {
    return this.#lastInbox.of(0, () => {
      // Asked for as the index has it: of max(inbox) alone SQLite reads the whole table.
      const row = this.#db.get('SELECT inbox FROM message WHERE inbox IS NOT NULL ORDER BY inbox DESC LIMIT 1');
      return row ? integer(row, 'inbox') : 0;
    });
  }

  inboxAfter(inbox: number, limit: number): MessageRow[] {
    return this.#all('message.inbox > ? ORDER BY message.inbox LIMIT ?', inbox, limit);
  }

  /** Shown messages of a conversation, newest first, from `before` (exclusive) down. */
  pageBefore(conversation: number, before: OrderKey | undefined, limit: number): MessageRow[] {
    const from = before ?? lastKey;
    return this.#all(
      'message.conversation = ? AND message.id < ((? << 20) | ?) AND message.shown = 1 ORDER BY message.id DESC LIMIT ?',
      conversation,
      from.ms,
      from.tie,
      limit,
    );
  }

  /** Shown messages of a conversation, oldest first, from `after` (exclusive) up. */
  pageAfter(conversation: number, after: OrderKey, limit: number): MessageRow[] {
    return this.#all(
      'message.conversation = ? AND message.id > ((? << 20) | ?) AND message.shown = 1 ORDER BY message.id LIMIT ?',
      conversation,
      after.ms,
      after.tie,
      limit,
    );
  }

  /**
   * The row ids of shown messages of a conversation, from `from` (exclusive) on, in the order in which they stand on that
   * side of it. SQLite writes them in one row: as rows, they would be most of the cost of a long window.
   */
  rowIds(conversation: number, side: 'older' | 'newer', from: string, limit: number): string[] {
    const [compare, direction] = side === 'older' ? ['<', 'DESC'] : ['>', 'ASC'];
    const row = this.#db.get(
      `SELECT group_concat(id) AS ids FROM
         (SELECT id FROM message WHERE conversation = ? AND shown = 1 AND id ${compare} CAST(? AS INTEGER)
          ORDER BY id ${direction} LIMIT ?)`,
      conversation,
      from,
      limit,
    );
    return (row && textOrNull(row, 'ids'))?.split(',') ?? [];
  }

  /** Shown messages of a conversation by their row ids, oldest first, both ends included. */
  between(conversation: number, first: string, last: string): MessageRow[] {
    return this.#all(
      `message.conversation = ? AND message.id BETWEEN CAST(? AS INTEGER) AND CAST(? AS INTEGER) AND message.shown = 1
       ORDER BY message.id`,
      conversation,
      first,
      last,
    );
  }

  #one(condition: string, ...values: (string | number)[]): MessageRow | undefined {
    const row = this.#db.get(`SELECT ${MESSAGE_COLUMNS} FROM ${MESSAGE_SOURCE} WHERE ${condition}`, ...values);
    return row && toMessage(row);
  }

  #all(condition: string, ...values: (string | number)[]): MessageRow[] {
    return this.#db
      .all(`SELECT ${MESSAGE_COLUMNS} FROM ${MESSAGE_SOURCE} WHERE ${condition}`, ...values)
      .map(toMessage);
  }

  #insert(message: NewMessage, stateAt: (key: OrderKey, isNewest: boolean) => MessageState): boolean {
    const free = this.#keys.find(message);
    if (free.type === 'full') {
      this.#makeRoom(message.conversation, free.before);
      return this.#insert(message, stateAt);
    }
    const { key, isNewest } = free;
    const state = stateAt(key, isNewest);
    const inserted = this.#db.run(
      `INSERT INTO message (id, conversation, message_id, party, own, epoch, era, number, n, kind, text, reply_to,
         server_time_ms, sent_at_ms, shown, late, inbox, unread)
       VALUES ((? << 20) | ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (message_id, party) DO NOTHING`,
      ...halves(key),
      message.conversation,
      message.messageId,
      message.party,
      message.own ? 1 : 0,
      message.epoch,
      message.sequence.era,
      message.sequence.number,
      message.n,
      message.kind,
      message.text,
      message.replyTo,
      message.serverTimeMs,
      message.sentAtMs,
      state.shown ? 1 : 0,
      state.late ? 1 : 0,
      state.inbox,
      state.unread ? 1 : 0,
    );
    if (inserted === 0) return false;
    if (state.shown) {
      this.#db.run(
        'INSERT INTO search (rowid, text, scope) VALUES ((? << 20) | ?, ?, ?)',
        ...halves(key),
        message.text,
        `c${message.conversation} p${message.party}`,
      );
    }
    this.#keys.taken(message, free);
    if (state.inbox !== null && state.inbox > this.lastInbox()) this.#lastInbox.set(0, state.inbox);
    return true;
  }

  /** Moves what stands at and behind a key up, where no key is left before it, by milliseconds that keep every order. */
  #makeRoom(conversation: number, from: OrderKey): void {
    this.#moves += 1;
    this.#keys.moved(conversation);
    let shiftMs = 1;
    const meets = `SELECT 1 AS taken FROM message AS a JOIN message AS b ON b.id = a.id + (? << 20)
      WHERE a.conversation = ? AND a.id >= ((? << 20) | ?) AND b.conversation <> a.conversation LIMIT 1`;
    while (this.#db.get(meets, shiftMs, conversation, ...halves(from)) !== undefined) shiftMs *= 2;
    const rows = this.#db.all(
      `SELECT id >> 20 AS key_ms, id & 1048575 AS key_tie FROM message
       WHERE conversation = ? AND id >= ((? << 20) | ?) ORDER BY id DESC`,
      conversation,
      ...halves(from),
    );
    for (const row of rows) {
      const key = keyOf(row);
      const to = { ms: key.ms + shiftMs, tie: key.tie };
      this.#unindex(key);
      this.#db.run('UPDATE message SET id = (? << 20) | ? WHERE id = (? << 20) | ?', ...halves(to), ...halves(key));
      this.#index(to);
    }
  }

  /** Puts a row into the search, if it is shown. */
  #index(key: OrderKey): void {
    this.#db.run(
      'INSERT INTO search (rowid, text, scope) SELECT id, text, scope FROM searchable WHERE id = (? << 20) | ?',
      ...halves(key),
    );
  }

  /** Takes a row out of the search, if it is shown; while it stands as it was put in. */
  #unindex(key: OrderKey): void {
    this.#db.run(
      `INSERT INTO search (search, rowid, text, scope)
       SELECT 'delete', id, text, scope FROM searchable WHERE id = (? << 20) | ?`,
      ...halves(key),
    );
  }
}
