import { parseMessageId, type MessageId } from '@waxwing/protocol';
import type { Db, Row } from './database.ts';
import { blob, integer, integerOrNull, text, textOrNull } from './row.ts';

/**
 * An own message on its way.
 *
 *     queued ──frame──▶ framed ──Accepted──▶ (gone: a message of the history)
 *       ▲                 │
 *       └─────retry──── failed ◀── refused for good, or cancelled
 */
export type OutboxRow = {
  readonly id: number;
  readonly conversation: number;
  readonly messageId: MessageId;
  readonly state: 'queued' | 'framed' | 'failed';
  /** A serialised ContentBody. */
  readonly content: Uint8Array;
  readonly sentAtMs: number;
  /** Of a framed row, as are n and attempt. */
  readonly epoch: number | null;
  readonly n: number | null;
  readonly attempt: number | null;
  /** Why it failed. */
  readonly failure: string | null;
  /** The person took it back after it was framed: its newest attempt is a void frame. */
  readonly cancelling: boolean;
  /** Why it was not taken when it was tried last: a code of the relay, or `no_keys`. Null where nothing stood in its way. */
  readonly refused: string | null;
  /** How often it was not taken. */
  readonly tries: number;
};

export type FramedRow = OutboxRow & { readonly epoch: number; readonly n: number; readonly attempt: number };

export function isFramed(row: OutboxRow): row is FramedRow {
  return row.epoch !== null && row.n !== null && row.attempt !== null;
}

/** One attempt of a framed row: the frame of this kind, and the submit body's bytes. */
export type Attempt = {
  readonly attempt: number;
  readonly kind: number;
  readonly frame: Uint8Array;
  readonly body: Uint8Array;
};

/** How many rows are framed, and the lowest n of each epoch's, by epoch. */
export type OutboxWindow = { readonly inAll: number; readonly lowest: ReadonlyMap<number, number> };

export class OutboxStore {
  readonly #db: Db;
  constructor(db: Db) {
    this.#db = db;
  }

  queue(conversation: number, messageId: MessageId, content: Uint8Array, sentAtMs: number): void {
    this.#db.run(
      `INSERT INTO outbox (conversation, message_id, state, content, sent_at_ms) VALUES (?, ?, 'queued', ?, ?)`,
      conversation,
      messageId,
      content,
      sentAtMs,
    );
  }

  byId(messageId: MessageId): OutboxRow | undefined {
    const row = this.#db.get('SELECT * FROM outbox WHERE message_id = ?', messageId);
    return row && toRow(row);
  }

  ofConversation(conversation: number): OutboxRow[] {
    return this.#db.all('SELECT * FROM outbox WHERE conversation = ? ORDER BY id', conversation).map(toRow);
  }

  /** Conversations that have queued rows, the longest waiting first. */
  waitingConversations(): number[] {
    const rows = this.#db.all(
      `SELECT conversation, min(id) AS first FROM outbox WHERE state = 'queued' GROUP BY conversation ORDER BY first`,
    );
    return rows.map((row) => integer(row, 'conversation'));
  }

  queued(conversation: number, limit: number): OutboxRow[] {
    const rows = this.#db.all(
      `SELECT * FROM outbox WHERE state = 'queued' AND conversation = ? ORDER BY id LIMIT ?`,
      conversation,
      limit,
    );
    return rows.map(toRow);
  }

  /** All framed rows, by epoch and n: their outcomes are unknown. */
  framed(): FramedRow[] {
    return this.#db.all(`SELECT * FROM outbox WHERE state = 'framed' ORDER BY epoch, n`).map(toFramed);
  }

  framedIn(epoch: number): FramedRow[] {
    return this.#db.all(`SELECT * FROM outbox WHERE state = 'framed' AND epoch = ? ORDER BY n`, epoch).map(toFramed);
  }

  window(): OutboxWindow {
    const rows = this.#db.all(
      `SELECT epoch, min(n) AS lowest, count(*) AS count FROM outbox WHERE state = 'framed' GROUP BY epoch`,
    );
    return {
      inAll: rows.reduce((all, row) => all + integer(row, 'count'), 0),
      lowest: new Map(rows.map((row) => [integer(row, 'epoch'), integer(row, 'lowest')])),
    };
  }

  framedRow(id: number): FramedRow | undefined {
    const row = this.#db.get(`SELECT * FROM outbox WHERE state = 'framed' AND id = ?`, id);
    return row && toFramed(row);
  }

  framedAt(epoch: number, n: number): FramedRow | undefined {
    const row = this.#db.get(`SELECT * FROM outbox WHERE state = 'framed' AND epoch = ? AND n = ?`, epoch, n);
    return row && toFramed(row);
  }

  frame(id: number, epoch: number, n: number, attempt: Attempt): void {
    this.#db.run(
      `UPDATE outbox SET state = 'framed', epoch = ?, n = ?, attempt = ?, failure = NULL, refused = NULL WHERE id = ?`,
      epoch,
      n,
      attempt.attempt,
      id,
    );
    this.#insertAttempt(id, attempt);
  }

  addAttempt(id: number, attempt: Attempt): void {
    this.#db.run('UPDATE outbox SET attempt = ? WHERE id = ?', attempt.attempt, id);
    this.#insertAttempt(id, attempt);
  }

  attempt(id: number, attempt: number): Attempt | undefined {
    const row = this.#db.get(
      'SELECT attempt, kind, frame, body FROM attempt WHERE outbox = ? AND attempt = ?',
      id,
      attempt,
    );
    return (
      row && {
        attempt: integer(row, 'attempt'),
        kind: integer(row, 'kind'),
        frame: blob(row, 'frame'),
        body: blob(row, 'body'),
      }
    );
  }

  attempts(id: number): Attempt[] {
    const rows = this.#db.all('SELECT attempt, kind, frame, body FROM attempt WHERE outbox = ? ORDER BY attempt', id);
    return rows.map((row) => ({
      attempt: integer(row, 'attempt'),
      kind: integer(row, 'kind'),
      frame: blob(row, 'frame'),
      body: blob(row, 'body'),
    }));
  }

  setCancelling(id: number): void {
    this.#db.run('UPDATE outbox SET cancelling = 1 WHERE id = ?', id);
  }

  setFailure(id: number, failure: string): void {
    this.#db.run('UPDATE outbox SET failure = ? WHERE id = ?', failure, id);
  }

  /** The first row before this one in its conversation that was not taken, and is still to be. */
  refusedBefore({ id, conversation }: OutboxRow): OutboxRow | undefined {
    const row = this.#db.get(
      `SELECT * FROM outbox WHERE conversation = ? AND id < ? AND state <> 'failed' AND refused IS NOT NULL
       ORDER BY id LIMIT 1`,
      conversation,
      id,
    );
    return row && toRow(row);
  }

  /** Notes why a row was not taken, for those who ask. */
  refuse(id: number, code: string): void {
    this.#db.run('UPDATE outbox SET refused = ?, tries = tries + 1 WHERE id = ?', code, id);
  }

  /** Gives up what is queued of a conversation. */
  failQueued(conversation: number, failure: string): void {
    for (const { id } of this.queued(conversation, Number.MAX_SAFE_INTEGER)) this.fail(id, failure);
  }

  /** Gives a row up: it keeps its content for a retry, and lets go of its n. */
  fail(id: number, failure: string): void {
    this.#db.run(
      `UPDATE outbox SET state = 'failed', failure = ?, epoch = NULL, n = NULL, attempt = NULL, cancelling = 0 WHERE id = ?`,
      failure,
      id,
    );
    this.#db.run('DELETE FROM attempt WHERE outbox = ?', id);
  }

  requeue(id: number): void {
    this.#db.run(
      `UPDATE outbox SET state = 'queued', failure = NULL, refused = NULL, tries = 0 WHERE id = ? AND state = 'failed'`,
      id,
    );
  }

  remove(id: number): void {
    this.#db.run('DELETE FROM outbox WHERE id = ?', id);
  }

  #insertAttempt(id: number, { attempt, kind, frame, body }: Attempt): void {
    this.#db.run(
      'INSERT INTO attempt (outbox, attempt, kind, frame, body) VALUES (?, ?, ?, ?, ?)',
      id,
      attempt,
      kind,
      frame,
      body,
    );
  }
}

const states = ['queued', 'framed', 'failed'] as const;

function toRow(row: Row): OutboxRow {
  const state = states.find((known) => known === row.state);
  if (state === undefined) throw new TypeError('column state has another value');
  return {
    id: integer(row, 'id'),
    conversation: integer(row, 'conversation'),
    messageId: parseMessageId(text(row, 'message_id')),
    state,
    content: blob(row, 'content'),
    sentAtMs: integer(row, 'sent_at_ms'),
    epoch: integerOrNull(row, 'epoch'),
    n: integerOrNull(row, 'n'),
    attempt: integerOrNull(row, 'attempt'),
    failure: textOrNull(row, 'failure'),
    cancelling: integer(row, 'cancelling') === 1,
    refused: textOrNull(row, 'refused'),
    tries: integer(row, 'tries'),
  };
}

function toFramed(row: Row): FramedRow {
  return { ...toRow(row), epoch: integer(row, 'epoch'), n: integer(row, 'n'), attempt: integer(row, 'attempt') };
}
