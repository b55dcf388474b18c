import { limits, parseEra, type EraNumber, type Seen } from '@waxwing/protocol';
import type { Db } from './database.ts';
import type { Memo } from './memo.ts';
import { blob, integer } from './row.ts';

/** What a sending device said that it had seen, over numbers that are not all held here. */
export type SeenClaim = Seen & { readonly party: number };

/** A frame that a sending device said was its newest, and that is not held. */
export type HeadClaim = { readonly n: number; readonly hash: Uint8Array };

/** What others said of what this device does not hold yet, kept until it can be compared. */
export class ClaimStore {
  readonly #db: Db;
  /** By epoch: whether any may be kept. */
  readonly #anySeen: Memo<boolean>;
  readonly #anyHead: Memo<boolean>;

  constructor(db: Db) {
    this.#db = db;
    this.#anySeen = db.memo();
    this.#anyHead = db.memo();
  }

  /** Keeps a claim in place of those that it covers; of one device the newest `seenClaimsKept` in an epoch stay. */
  keepSeen(epoch: number, { party, era, from, to, hash }: SeenClaim): void {
    this.#anySeen.set(epoch, true);
    this.#db.run(
      'DELETE FROM seen_claim WHERE epoch = ? AND party = ? AND era = ? AND first >= ? AND last <= ?',
      epoch,
      party,
      era,
      from,
      to,
    );
    this.#db.run(
      'INSERT INTO seen_claim (epoch, party, era, first, last, hash) VALUES (?, ?, ?, ?, ?, ?)',
      epoch,
      party,
      era,
      from,
      to,
      hash,
    );
    this.#db.run(
      `DELETE FROM seen_claim WHERE epoch = ? AND party = ? AND (era, last, first) <=
         (SELECT era, last, first FROM seen_claim WHERE epoch = ? AND party = ?
          ORDER BY era DESC, last DESC, first DESC LIMIT 1 OFFSET ?)`,
      epoch,
      party,
      epoch,
      party,
      limits.seenClaimsKept,
    );
  }

  dropSeen(epoch: number, { party, era, from, to }: SeenClaim): void {
    this.#anySeen.drop(epoch);
    this.#db.run(
      'DELETE FROM seen_claim WHERE epoch = ? AND party = ? AND era = ? AND last = ? AND first = ?',
      epoch,
      party,
      era,
      to,
      from,
    );
  }

  /** The claims kept over a number. */
  seenOver(epoch: number, era: EraNumber, number: number): SeenClaim[] {
    const any = (): boolean => this.#db.get('SELECT 1 FROM seen_claim WHERE epoch = ? LIMIT 1', epoch) !== undefined;
    if (!this.#anySeen.of(epoch, any)) return [];
    const rows = this.#db.all(
      'SELECT party, era, first, last, hash FROM seen_claim WHERE epoch = ? AND era = ? AND first <= ? AND last >= ?',
      epoch,
      era,
      number,
      number,
    );
    return rows.map((row) => ({
      party: integer(row, 'party'),
      era: parseEra(integer(row, 'era')),
      from: integer(row, 'first'),
      to: integer(row, 'last'),
      hash: blob(row, 'hash'),
    }));
  }

  /** Keeps the one claim of a device in an epoch: the one with the highest n. */
  keepHead(epoch: number, party: number, { n, hash }: HeadClaim): void {
    this.#anyHead.set(epoch, true);
    this.#db.run(
      `INSERT INTO head_claim (epoch, party, n, hash) VALUES (?, ?, ?, ?)
       ON CONFLICT (epoch, party) DO UPDATE SET n = excluded.n, hash = excluded.hash WHERE excluded.n > n`,
      epoch,
      party,
      n,
      hash,
    );
  }

  head(epoch: number, party: number): HeadClaim | undefined {
    const any = (): boolean => this.#db.get('SELECT 1 FROM head_claim WHERE epoch = ? LIMIT 1', epoch) !== undefined;
    if (!this.#anyHead.of(epoch, any)) return undefined;
    const row = this.#db.get('SELECT n, hash FROM head_claim WHERE epoch = ? AND party = ?', epoch, party);
    return row && { n: integer(row, 'n'), hash: blob(row, 'hash') };
  }

  dropHead(epoch: number, party: number): void {
    this.#anyHead.drop(epoch);
    this.#db.run('DELETE FROM head_claim WHERE epoch = ? AND party = ?', epoch, party);
  }
}
