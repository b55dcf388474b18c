import type { AccountId } from '@waxwing/protocol';
import type { Db } from './database.ts';
import { blob, blobOrNull, integer } from './row.ts';

/** The last change of an account's identity key. */
export type IdentityChange = {
  readonly atMs: number;
  /** The key before, and the version of its last list that was known here. */
  readonly former: { readonly key: Uint8Array; readonly version: number };
  /** The person had compared the safety number, and has not accepted a key since. */
  readonly wasVerified: boolean;
  readonly isAccepted: boolean;
};

/** What a person, and this device, think of other accounts' identity keys, beside the lists that name them. */
export class TrustStore {
  readonly #db: Db;
  constructor(db: Db) {
    this.#db = db;
  }

  /** The key whose safety number was compared last; it may be another than the account has now. */
  verifiedKey(account: AccountId): Uint8Array | undefined {
    const row = this.#db.get('SELECT verified_key FROM trust WHERE account = ?', account);
    return (row && blobOrNull(row, 'verified_key')) ?? undefined;
  }

  change(account: AccountId): IdentityChange | undefined {
    const row = this.#db.get('SELECT * FROM trust WHERE account = ? AND former_key IS NOT NULL', account);
    return (
      row && {
        atMs: integer(row, 'changed_at_ms'),
        former: { key: blob(row, 'former_key'), version: integer(row, 'former_version') },
        wasVerified: integer(row, 'was_verified') === 1,
        isAccepted: integer(row, 'accepted') === 1,
      }
    );
  }

  /** The account has another key than this former one. Of changes that wait for the person the first one's doubt stays. */
  changed(account: AccountId, former: IdentityChange['former'], atMs: number): void {
    this.#db.run(
      `INSERT INTO trust (account, changed_at_ms, former_key, former_version, accepted) VALUES (?, ?, ?, ?, 0)
       ON CONFLICT (account) DO UPDATE SET
         was_verified = max(was_verified, coalesce(verified_key = excluded.former_key, 0)),
         changed_at_ms = excluded.changed_at_ms, former_key = excluded.former_key,
         former_version = excluded.former_version, accepted = 0`,
      account,
      atMs,
      former.key,
      former.version,
    );
  }

  /** The person takes the account with the key that it has now. Idempotent. */
  accept(account: AccountId): void {
    this.#db.run('UPDATE trust SET accepted = 1, was_verified = 0 WHERE account = ?', account);
  }

  /** The person has compared the safety number under this key, and so takes it. Idempotent. */
  verify(account: AccountId, key: Uint8Array): void {
    this.#db.run(
      `INSERT INTO trust (account, verified_key) VALUES (?, ?)
       ON CONFLICT (account) DO UPDATE SET verified_key = excluded.verified_key`,
      account,
      key,
    );
    this.accept(account);
  }
}
