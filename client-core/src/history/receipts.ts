import type { AccountId, NRange } from '@waxwing/protocol';
import type { Db, Row } from './database.ts';
import type { Memo } from './memo.ts';
import { integer, text } from './row.ts';

/** How far a watermark reaches: everything up to n but for the excepted ranges. */
export type Reach = { readonly n: number; readonly except: readonly NRange[] };

/** What others hold of this device's frames, and what this device last told others that it holds of theirs. */
export class ReceiptStore {
  readonly #db: Db;
  readonly #followed: Memo<true>;

  constructor(db: Db) {
    this.#db = db;
    this.#followed = db.memo();
  }

  /** What an account said; undefined before it said anything. */
  received(epoch: number, account: AccountId, kind: 'delivered' | 'read'): Reach | undefined {
    const row = this.#db.get(
      'SELECT n, except_ranges FROM receipt WHERE epoch = ? AND account = ? AND kind = ?',
      epoch,
      account,
      kind,
    );
    return row && reachFrom(row, 'n', 'except_ranges');
  }

  setReceived(epoch: number, account: AccountId, kind: 'delivered' | 'read', reach: Reach): void {
    this.#db.run(
      'INSERT OR REPLACE INTO receipt (epoch, account, kind, n, except_ranges) VALUES (?, ?, ?, ?, ?)',
      epoch,
      account,
      kind,
      reach.n,
      rangesJson(reach.except),
    );
  }

  reported(epoch: number, party: number): Reach | undefined {
    const row = this.#db.get('SELECT n, except_ranges FROM reported WHERE epoch = ? AND party = ?', epoch, party);
    return row && reachFrom(row, 'n', 'except_ranges');
  }

  setReported(epoch: number, party: number, reach: Reach): void {
    this.#db.run(
      'INSERT OR REPLACE INTO reported (epoch, party, n, except_ranges) VALUES (?, ?, ?, ?)',
      epoch,
      party,
      reach.n,
      rangesJson(reach.except),
    );
  }

  /** Notes that a device's frames are to be reported on, if that is not noted yet. */
  follow(epoch: number, party: number): void {
    const key = `${epoch}.${party}`;
    if (this.#followed.get(key)) return;
    this.#followed.set(key, true);
    this.#db.run(
      `INSERT INTO reported (epoch, party, n, except_ranges) VALUES (?, ?, 0, '[]') ON CONFLICT DO NOTHING`,
      epoch,
      party,
    );
  }

  /** The devices that sent something that was not reported yet, or was reported with holes that may have filled. */
  unreported(): { epoch: number; party: number }[] {
    const rows = this.#db.all(
      `SELECT epoch, party FROM reported WHERE except_ranges <> '[]' OR n <
         (SELECT max(frame.n) FROM frame WHERE frame.epoch = reported.epoch AND frame.party = reported.party)`,
    );
    return rows.map((row) => ({ epoch: integer(row, 'epoch'), party: integer(row, 'party') }));
  }
}

/** Ranges as a column has them. */
export function rangesJson(ranges: readonly NRange[]): string {
  return JSON.stringify(ranges.map(({ from, to }) => [from, to]));
}

/** A watermark from the columns that hold its n and its excepted ranges. */
export function reachFrom(row: Row, n: string, except: string): Reach {
  const ranges: unknown = JSON.parse(text(row, except));
  return {
    n: integer(row, n),
    except: Array.isArray(ranges) ? ranges.filter(isPair).map(([from, to]) => ({ from, to })) : [],
  };
}

function isPair(value: unknown): value is [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every((item) => Number.isSafeInteger(item));
}
