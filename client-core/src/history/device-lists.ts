import {
  decodeSignedDeviceList,
  encodeSignedDeviceList,
  parseAccountId,
  readDeviceList,
  type AccountId,
  type DeviceList,
  type ListClaim,
  type SignedDeviceList,
} from '@waxwing/protocol';
import type { Db } from './database.ts';
import { blob, integer, text } from './row.ts';

export type KeptList = { readonly signed: SignedDeviceList; readonly list: DeviceList };

/** The newest verified list of each account. Only verified ones are put in. */
export class DeviceListStore {
  readonly #db: Db;
  constructor(db: Db) {
    this.#db = db;
  }

  get(account: AccountId): KeptList | undefined {
    const row = this.#db.get('SELECT signed FROM device_list WHERE account = ?', account);
    if (row === undefined) return undefined;
    const signed = decodeSignedDeviceList(blob(row, 'signed'));
    return { signed, list: readDeviceList(signed) };
  }

  put({ signed, list }: KeptList): void {
    this.#db.run(
      'INSERT OR REPLACE INTO device_list (account, version, signed) VALUES (?, ?, ?)',
      list.account,
      list.version,
      encodeSignedDeviceList(signed),
    );
  }

  /** What an account's devices said of a list that is newer than the one kept. */
  claim(account: AccountId): ListClaim | undefined {
    const row = this.#db.get('SELECT version, hash_prefix FROM list_claim WHERE account = ?', account);
    return row && { version: integer(row, 'version'), hashPrefix: blob(row, 'hash_prefix') };
  }

  keepClaim(account: AccountId, { version, hashPrefix }: ListClaim): void {
    this.#db.run(
      'INSERT OR REPLACE INTO list_claim (account, version, hash_prefix) VALUES (?, ?, ?)',
      account,
      version,
      hashPrefix,
    );
  }

  dropClaim(account: AccountId): void {
    this.#db.run('DELETE FROM list_claim WHERE account = ?', account);
  }

  /** Accounts that have a newer list than the one kept, by their own word. */
  claimed(): AccountId[] {
    return this.#db.all('SELECT account FROM list_claim').map((row) => parseAccountId(text(row, 'account')));
  }
}
