import {
  decodeSignedDeviceList,
  encodeSignedDeviceList,
  readDeviceList,
  type AccountId,
  type DeviceList,
  type SignedDeviceList,
} from '@waxwing/protocol';
import type { Db } from './database.ts';
import { blob } from './row.ts';

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
}
