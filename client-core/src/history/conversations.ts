import { handleFromBytes, handleToBytes, parseAccountId, type AccountId, type Handle } from '@waxwing/protocol';
import type { Db, Row } from './database.ts';
import type { Memo } from './memo.ts';
import { blob, integer, text } from './row.ts';

/** A conversation's row. `id` is the file's own number for it. */
export type ConversationRow = { readonly id: number; readonly peer: AccountId; readonly createdAtMs: number };

/** An epoch's row: the handle under which the relay counts it. */
export type EpochRow = {
  readonly id: number;
  readonly conversation: number;
  readonly number: number;
  readonly handle: Handle;
};

/** Rows of conversations and epochs are never changed in what is read of them here, and never removed. */
export class ConversationStore {
  readonly #db: Db;
  readonly #conversations: Memo<ConversationRow>;
  readonly #epochsByHandle: Memo<EpochRow>;
  readonly #epochsById: Memo<EpochRow>;

  constructor(db: Db) {
    this.#db = db;
    this.#conversations = db.memo();
    this.#epochsByHandle = db.memo();
    this.#epochsById = db.memo();
  }

  /** The direct conversation with an account, made if there is none. */
  ensureDirect(peer: AccountId, nowMs: number): ConversationRow {
    this.#db.run(
      `INSERT INTO conversation (kind, peer, created_at_ms) VALUES ('direct', ?, ?) ON CONFLICT (peer) DO NOTHING`,
      peer,
      nowMs,
    );
    const row = this.byPeer(peer);
    if (row === undefined) throw new TypeError('a conversation was not kept');
    return row;
  }

  byPeer(peer: AccountId): ConversationRow | undefined {
    const row = this.#db.get('SELECT id, peer, created_at_ms FROM conversation WHERE peer = ?', peer);
    return row && toConversation(row);
  }

  byId(id: number): ConversationRow | undefined {
    return this.#conversations.of(id, () => {
      const row = this.#db.get('SELECT id, peer, created_at_ms FROM conversation WHERE id = ?', id);
      return row && toConversation(row);
    });
  }

  /** When the other side was last told what this device holds; 0 before it was. */
  toldAtMs(id: number): number {
    const row = this.#db.get('SELECT told_ms FROM conversation WHERE id = ?', id);
    return row ? integer(row, 'told_ms') : 0;
  }

  setTold(id: number, nowMs: number): void {
    this.#db.run('UPDATE conversation SET told_ms = ? WHERE id = ?', nowMs, id);
  }

  all(): ConversationRow[] {
    return this.#db.all('SELECT id, peer, created_at_ms FROM conversation').map(toConversation);
  }

  /**
   * The most recently active ones first: by their newest message, which is one in the outbox if there is any, or by when
   * they were made.
   */
  newest(limit: number): ConversationRow[] {
    const rows = this.#db.all(
      `SELECT conversation.id, peer, created_at_ms FROM conversation
       LEFT JOIN (SELECT conversation, max(id) AS last FROM outbox GROUP BY conversation) AS pending
         ON pending.conversation = conversation.id
       ORDER BY coalesce(
         (SELECT sent_at_ms FROM outbox WHERE id = pending.last),
         (SELECT server_time_ms FROM message WHERE message.conversation = conversation.id AND shown = 1
          ORDER BY message.id DESC LIMIT 1),
         created_at_ms) DESC, conversation.id LIMIT ?`,
      limit,
    );
    return rows.map(toConversation);
  }

  epochByHandle(handle: Handle): EpochRow | undefined {
    return this.#epochsByHandle.of(handle, () => {
      const row = this.#db.get(
        'SELECT id, conversation, number, handle FROM epoch WHERE handle = ?',
        handleToBytes(handle),
      );
      return row && toEpoch(row);
    });
  }

  epochById(id: number): EpochRow {
    return this.#epochsById.of(id, () => {
      const row = this.#db.get('SELECT id, conversation, number, handle FROM epoch WHERE id = ?', id);
      if (row === undefined) throw new TypeError('no such epoch');
      return toEpoch(row);
    });
  }

  /** A conversation's epochs in their order. */
  epochs(conversation: number): EpochRow[] {
    const rows = this.#db.all(
      'SELECT id, conversation, number, handle FROM epoch WHERE conversation = ? ORDER BY number, handle',
      conversation,
    );
    return rows.map(toEpoch);
  }

  ensureEpoch(conversation: number, number: number, handle: Handle): EpochRow {
    this.#db.run(
      'INSERT INTO epoch (conversation, number, handle) VALUES (?, ?, ?) ON CONFLICT (handle) DO NOTHING',
      conversation,
      number,
      handleToBytes(handle),
    );
    const row = this.epochByHandle(handle);
    if (row === undefined) throw new TypeError('an epoch was not kept');
    return row;
  }
}

function toConversation(row: Row): ConversationRow {
  return {
    id: integer(row, 'id'),
    peer: parseAccountId(text(row, 'peer')),
    createdAtMs: integer(row, 'created_at_ms'),
  };
}

function toEpoch(row: Row): EpochRow {
  return {
    id: integer(row, 'id'),
    conversation: integer(row, 'conversation'),
    number: integer(row, 'number'),
    handle: handleFromBytes(blob(row, 'handle')),
  };
}
