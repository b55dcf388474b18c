import {
  parseAccountId,
  parseDeviceId,
  parseEra,
  type AccountId,
  type DeviceAddress,
  type NumberRange,
} from '@waxwing/protocol';
import type { Range } from '../sync/ranges.ts';
import type { Db, Row } from './database.ts';
import { integer, integerOrNull, text } from './row.ts';

/** What of an epoch is to be asked for now, each with how often it was. */
export type DueHoles = {
  readonly numbers: readonly (NumberRange & { readonly tries: number })[];
  readonly frames: readonly (Range & { readonly party: number; readonly tries: number })[];
  /** How often it was asked how far the epoch goes; absent where that is not due. */
  readonly tail?: number;
};

/** An own frame that a device is owed. */
export type OwedRow = { readonly epoch: number; readonly n: number; readonly to: DeviceAddress };

/** A device from which something could not be read, and when its session may be set up anew. */
export type UnreadRow = { readonly device: DeviceAddress; readonly sinceMs: number; readonly renewedMs: number | null };

// As the partial indexes have it.
const ASKABLE = `reason IN ('expired', 'over quota', 'undecryptable', 'awaiting sender', 'lost')`;

/** When others are asked for what is missing, and what they are owed. */
export class RepairStore {
  readonly #db: Db;
  constructor(db: Db) {
    this.#db = db;
  }

  /** When the next question is due; null where one has no time yet, undefined where there is none. */
  nextDue(): number | null | undefined {
    const rows = [
      this.#db.get(`SELECT due_ms FROM hole WHERE ${ASKABLE} ORDER BY due_ms LIMIT 1`),
      this.#db.get(`SELECT due_ms FROM chain_hole WHERE ${ASKABLE} ORDER BY due_ms LIMIT 1`),
      this.#db.get(
        'SELECT tail_due_ms AS due_ms FROM epoch WHERE tail_due_ms IS NOT NULL ORDER BY tail_due_ms LIMIT 1',
      ),
    ];
    const due = rows.flatMap((row) => (row ? [integerOrNull(row, 'due_ms')] : []));
    return due.reduce<number | null | undefined>((first, next) => {
      if (first === undefined || next === null) return next;
      return first === null ? null : Math.min(first, next);
    }, undefined);
  }

  /** Gives what has no time yet this one. */
  setDue(dueMs: number): void {
    this.#db.run(`UPDATE hole SET due_ms = ? WHERE due_ms IS NULL AND ${ASKABLE}`, dueMs);
    this.#db.run(`UPDATE chain_hole SET due_ms = ? WHERE due_ms IS NULL AND ${ASKABLE}`, dueMs);
  }

  /** Nothing waits for longer than to this time. */
  notBeyond(dueMs: number): void {
    this.#db.run('UPDATE hole SET due_ms = ? WHERE due_ms > ?', dueMs, dueMs);
    this.#db.run('UPDATE chain_hole SET due_ms = ? WHERE due_ms > ?', dueMs, dueMs);
    this.#db.run('UPDATE epoch SET tail_due_ms = ? WHERE tail_due_ms > ?', dueMs, dueMs);
  }

  /** The epochs of which something is due. */
  epochsDue(nowMs: number): number[] {
    const rows = this.#db.all(
      `SELECT epoch FROM hole WHERE due_ms <= ? AND ${ASKABLE}
       UNION SELECT epoch FROM chain_hole WHERE due_ms <= ? AND ${ASKABLE}
       UNION SELECT id AS epoch FROM epoch WHERE tail_due_ms <= ?`,
      nowMs,
      nowMs,
      nowMs,
    );
    return rows.map((row) => integer(row, 'epoch'));
  }

  /** What of an epoch is due, at most `limit` ranges, the longest due first. */
  due(epoch: number, nowMs: number, limit: number): DueHoles {
    const numbers = this.#db.all(
      `SELECT era, first, last, tries FROM hole WHERE epoch = ? AND due_ms <= ? AND ${ASKABLE} ORDER BY due_ms LIMIT ?`,
      epoch,
      nowMs,
      limit,
    );
    const frames = this.#db.all(
      `SELECT party, first_n, last_n, tries FROM chain_hole WHERE epoch = ? AND due_ms <= ? AND ${ASKABLE}
       ORDER BY due_ms LIMIT ?`,
      epoch,
      nowMs,
      limit - numbers.length,
    );
    const tail = this.#db.get('SELECT tail_tries FROM epoch WHERE id = ? AND tail_due_ms <= ?', epoch, nowMs);
    return {
      numbers: numbers.map((row) => ({
        era: parseEra(integer(row, 'era')),
        from: integer(row, 'first'),
        to: integer(row, 'last'),
        tries: integer(row, 'tries'),
      })),
      frames: frames.map((row) => ({
        party: integer(row, 'party'),
        from: integer(row, 'first_n'),
        to: integer(row, 'last_n'),
        tries: integer(row, 'tries'),
      })),
      ...(tail && { tail: integer(tail, 'tail_tries') }),
    };
  }

  /** Others are asked for a hole now; when they are again. */
  askedNumbers(epoch: number, { era, from }: NumberRange, dueMs: number): void {
    this.#db.run(
      'UPDATE hole SET tries = tries + 1, due_ms = ? WHERE epoch = ? AND era = ? AND first = ?',
      dueMs,
      epoch,
      era,
      from,
    );
  }

  askedFrames(epoch: number, party: number, fromN: number, dueMs: number): void {
    this.#db.run(
      'UPDATE chain_hole SET tries = tries + 1, due_ms = ? WHERE epoch = ? AND party = ? AND first_n = ?',
      dueMs,
      epoch,
      party,
      fromN,
    );
  }

  askedTail(epoch: number, dueMs: number): void {
    this.#db.run('UPDATE epoch SET tail_tries = tail_tries + 1, tail_due_ms = ? WHERE id = ?', dueMs, epoch);
  }

  /** Something of an epoch came: what is left of what was asked for is not kept waiting beyond this time. */
  progressed(epoch: number, dueMs: number): void {
    for (const table of ['hole', 'chain_hole']) {
      this.#db.run(`UPDATE ${table} SET tries = 1, due_ms = ? WHERE epoch = ? AND due_ms > ?`, dueMs, epoch, dueMs);
    }
  }

  /** What of an epoch nobody was asked for yet is due now. */
  bringForward(epoch: number, nowMs: number): void {
    for (const table of ['hole', 'chain_hole']) {
      this.#db.run(`UPDATE ${table} SET due_ms = ? WHERE epoch = ? AND tries = 0 AND ${ASKABLE}`, nowMs, epoch);
    }
  }

  /** How far an epoch goes is to be asked at this time; an earlier one stays. */
  wantTail(epoch: number, dueMs: number): void {
    this.#db.run('UPDATE epoch SET tail_tries = 0, tail_due_ms = ? WHERE id = ? AND tail_due_ms IS NULL', dueMs, epoch);
  }

  isTailWanted(epoch: number): boolean {
    return this.#db.get('SELECT id FROM epoch WHERE id = ? AND tail_due_ms IS NOT NULL', epoch) !== undefined;
  }

  tailKnown(epoch: number): void {
    this.#db.run('UPDATE epoch SET tail_tries = 0, tail_due_ms = NULL WHERE id = ?', epoch);
  }

  /** The devices from which something could not be read, each since its newest. */
  unread(): UnreadRow[] {
    const rows = this.#db.all(
      `SELECT held.account, held.device, max(held.since_ms) AS since_ms, renewal.at_ms FROM held
       LEFT JOIN renewal ON renewal.account = held.account AND renewal.device = held.device
       WHERE held.reason = 'undecryptable' GROUP BY held.account, held.device`,
    );
    return rows.map((row) => ({
      device: addressOf(row),
      sinceMs: integer(row, 'since_ms'),
      renewedMs: integerOrNull(row, 'at_ms'),
    }));
  }

  renewed({ account, device }: DeviceAddress, nowMs: number): void {
    this.#db.run('INSERT OR REPLACE INTO renewal (account, device, at_ms) VALUES (?, ?, ?)', account, device, nowMs);
  }

  owe(epoch: number, n: number, { account, device }: DeviceAddress): void {
    this.#db.run(
      'INSERT INTO owed (epoch, n, account, device) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
      epoch,
      n,
      account,
      device,
    );
  }

  owed(limit: number): OwedRow[] {
    return this.#db.all('SELECT epoch, n, account, device FROM owed LIMIT ?', limit).map((row) => ({
      epoch: integer(row, 'epoch'),
      n: integer(row, 'n'),
      to: addressOf(row),
    }));
  }

  given({ epoch, n, to }: OwedRow): void {
    this.#db.run(
      'DELETE FROM owed WHERE epoch = ? AND n = ? AND account = ? AND device = ?',
      epoch,
      n,
      to.account,
      to.device,
    );
  }
}

function addressOf(row: Row): { account: AccountId; device: DeviceAddress['device'] } {
  return { account: parseAccountId(text(row, 'account')), device: parseDeviceId(integer(row, 'device')) };
}
