import {
  compareSequences,
  parseAccountId,
  parseDeviceId,
  parseEra,
  parseMessageId,
  type AccountId,
  type DeviceId,
  type MessageId,
  type Sequence,
} from '@waxwing/protocol';
import type { Db, Row } from './database.ts';
import { compareKeys, keyBetween, lastKey, nextKey, type OrderKey } from './order-key.ts';
import { integer, integerOrNull, text, textOrNull } from './row.ts';

export type NewMessage = {
  readonly conversation: number;
  readonly messageId: MessageId;
  readonly party: number;
  readonly own: boolean;
  readonly epoch: number;
  readonly sequence: Sequence;
  readonly n: number;
  readonly kind: number;
  readonly text: string | null;
  readonly replyTo: MessageId | null;
  readonly serverTimeMs: number;
  readonly sentAtMs: number;
};

export type MessageRow = NewMessage & {
  readonly key: OrderKey;
  readonly from: AccountId;
  readonly device: DeviceId;
  readonly epochNumber: number;
  /** Place in the order of release; null until released and for own messages. */
  readonly inbox: number | null;
  readonly late: boolean;
  /** Of another account, and not marked read. */
  readonly unread: boolean;
};

/** What `toMessage` reads. */
export const MESSAGE_COLUMNS = `message.id >> 20 AS key_ms, message.id & 1048575 AS key_tie, message.*, party.account, party.device,
  epoch.number AS epoch_number`;
const SOURCE = 'message JOIN party ON party.id = message.party JOIN epoch ON epoch.id = message.epoch';

/** The messages of the device's history, each once, in their order. */
export class MessageStore {
  readonly #db: Db;
  #moves = 0;
  constructor(db: Db) {
    this.#db = db;
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

  /** Puts a message into its place. It is not shown and not in the inbox until `release`. */
  insert(message: NewMessage): void {
    this.#insert(message, { shown: false, late: false, inbox: null, unread: null });
  }

  /** Moves a shown message to another sequence: its row and its search row together. */
  move(message: MessageRow, sequence: Sequence): void {
    const { shown } = this.#db.get('SELECT shown FROM message WHERE id = (? << 20) | ?', ...halves(message.key)) ?? {};
    this.#moves += 1;
    this.#unindex(message.key);
    this.#db.run('DELETE FROM message WHERE id = (? << 20) | ?', ...halves(message.key));
    this.#insert({ ...message, sequence }, { ...message, shown: shown === 1 });
  }

  /** Messages of an epoch that are not shown yet, in order: all, or those before a sequence. */
  waiting(epoch: number, before: Sequence | undefined): MessageRow[] {
    const { era, number } = before ?? { era: Number.MAX_SAFE_INTEGER, number: 0 };
    return this.#all(
      `message.epoch = ? AND message.shown = 0 AND (message.era, message.number) < (?, ?)
       ORDER BY message.era, message.number`,
      epoch,
      era,
      number,
    );
  }

  /**
   * Shows a message, which can be searched from then on; one of others also enters the inbox, late if what follows it is
   * there, and counts as unread.
   */
  release(message: MessageRow): void {
    const inbox = message.own ? null : this.lastInbox() + 1;
    const late = inbox !== null && this.#isFollowed(message);
    this.#db.run(
      'UPDATE message SET shown = 1, late = ?, inbox = ? WHERE id = (? << 20) | ?',
      late ? 1 : 0,
      inbox,
      ...halves(message.key),
    );
    this.#index(message.key);
    if (message.unread) {
      this.#db.run('UPDATE conversation SET unread = unread + 1 WHERE id = ?', message.conversation);
    }
  }

  #isFollowed({ conversation, key }: MessageRow): boolean {
    const later = this.#db.get(
      'SELECT 1 FROM message WHERE conversation = ? AND id > (? << 20) | ? AND inbox IS NOT NULL LIMIT 1',
      conversation,
      ...halves(key),
    );
    return later !== undefined;
  }

  lastInbox(): number {
    // Asked for as the index has it: of max(inbox) alone SQLite reads the whole table.
    const row = this.#db.get('SELECT inbox FROM message WHERE inbox IS NOT NULL ORDER BY inbox DESC LIMIT 1');
    return row ? integer(row, 'inbox') : 0;
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
    const row = this.#db.get(`SELECT ${MESSAGE_COLUMNS} FROM ${SOURCE} WHERE ${condition}`, ...values);
    return row && toMessage(row);
  }

  #all(condition: string, ...values: (string | number)[]): MessageRow[] {
    return this.#db.all(`SELECT ${MESSAGE_COLUMNS} FROM ${SOURCE} WHERE ${condition}`, ...values).map(toMessage);
  }

  /** `unread` is null where it is not known yet: then what is of another account is. */
  #insert(
    message: NewMessage,
    state: { shown: boolean; late: boolean; inbox: number | null; unread: boolean | null },
  ): void {
    const key = this.#freeKey(message);
    this.#db.run(
      `INSERT INTO message (id, conversation, message_id, party, own, epoch, era, number, n, kind, text, reply_to,
         server_time_ms, sent_at_ms, shown, late, inbox, unread)
       VALUES ((? << 20) | ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, coalesce(?,
         ? = 0 AND (SELECT account FROM party WHERE id = ?) IS NOT (SELECT account FROM device)))`,
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
      state.unread === null ? null : Number(state.unread),
      message.own ? 1 : 0,
      message.party,
    );
    this.#index(key);
  }

  /** A key between the message's neighbours that no other conversation has taken. */
  #freeKey(message: NewMessage): OrderKey {
    const { conversation, serverTimeMs } = message;
    const last = this.#edge('message.conversation = ? ORDER BY message.id DESC LIMIT 1', conversation);
    const isNewest = last === undefined || this.#stands(last, message) < 0;
    const before = isNewest ? last?.key : this.#neighbour(message, '<', 'DESC');
    const after = isNewest ? undefined : this.#neighbour(message, '>', 'ASC');
    // Where its own time is taken up to the neighbour, the middle between both may be free.
    for (const timeMs of [serverTimeMs, ...(after ? [after.ms + 1] : [])]) {
      let key = keyBetween(before, after, timeMs);
      while (key && this.#taken(key)) key = nextKey(key);
      if (key && (after === undefined || compareKeys(key, after) < 0)) return key;
    }
    if (after === undefined) throw new TypeError('no key is left behind the newest message');
    this.#makeRoom(conversation, after);
    return this.#freeKey(message);
  }

  #taken(key: OrderKey): boolean {
    return this.#db.get('SELECT 1 AS taken FROM message WHERE id = (? << 20) | ?', ...halves(key)) !== undefined;
  }

  #edge(
    condition: string,
    ...values: number[]
  ): { key: OrderKey; epoch: number; epochNumber: number; sequence: Sequence } | undefined {
    const row = this.#db.get(
      `SELECT message.id >> 20 AS key_ms, message.id & 1048575 AS key_tie, message.epoch, message.era, message.number,
         epoch.number AS epoch_number
       FROM message JOIN epoch ON epoch.id = message.epoch WHERE ${condition}`,
      ...values,
    );
    return (
      row && {
        key: keyOf(row),
        epoch: integer(row, 'epoch'),
        epochNumber: integer(row, 'epoch_number'),
        sequence: sequenceOf(row),
      }
    );
  }

  /** Negative where `edge` stands before the message. */
  #stands(edge: { epoch: number; epochNumber: number; sequence: Sequence }, message: NewMessage): number {
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

  /** Moves what stands at and behind a key up, where no key is left before it, by milliseconds that keep every order. */
  #makeRoom(conversation: number, from: OrderKey): void {
    this.#moves += 1;
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

function halves({ ms, tie }: OrderKey): [number, number] {
  return [ms, tie];
}

function keyOf(row: Row): OrderKey {
  return { ms: integer(row, 'key_ms'), tie: integer(row, 'key_tie') };
}

function sequenceOf(row: Row): Sequence {
  return { era: parseEra(integer(row, 'era')), number: integer(row, 'number') };
}

export function toMessage(row: Row): MessageRow {
  const replyTo = textOrNull(row, 'reply_to');
  return {
    key: keyOf(row),
    conversation: integer(row, 'conversation'),
    messageId: parseMessageId(text(row, 'message_id')),
    party: integer(row, 'party'),
    from: parseAccountId(text(row, 'account')),
    device: parseDeviceId(integer(row, 'device')),
    own: integer(row, 'own') === 1,
    epoch: integer(row, 'epoch'),
    epochNumber: integer(row, 'epoch_number'),
    sequence: sequenceOf(row),
    n: integer(row, 'n'),
    kind: integer(row, 'kind'),
    text: textOrNull(row, 'text'),
    replyTo: replyTo === null ? null : parseMessageId(replyTo),
    serverTimeMs: integer(row, 'server_time_ms'),
    sentAtMs: integer(row, 'sent_at_ms'),
    inbox: integerOrNull(row, 'inbox'),
    late: integer(row, 'late') === 1,
    unread: integer(row, 'unread') === 1,
  };
}
