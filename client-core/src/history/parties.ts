import { parseAccountId, parseDeviceId, type AccountId, type DeviceAddress } from '@waxwing/protocol';
import type { Db } from './database.ts';
import type { Memo } from './memo.ts';
import { integer, text } from './row.ts';

/** The file's numbers for sending devices: a returned device id is another party than the one before. */
export class PartyStore {
  readonly #db: Db;
  readonly #ids: Memo<number>;
  readonly #addresses: Memo<DeviceAddress>;

  constructor(db: Db) {
    this.#db = db;
    this.#ids = db.memo();
    this.#addresses = db.memo();
  }

  /** The number of a device, given at the first call; `addedIn` tells a returned id from the one before. */
  ensure(address: DeviceAddress, addedIn: number): number {
    const known = this.find(address, addedIn);
    if (known !== undefined) return known;
    this.#db.run(
      'INSERT INTO party (account, device, added_in) VALUES (?, ?, ?)',
      address.account,
      address.device,
      addedIn,
    );
    const id = this.find(address, addedIn);
    if (id === undefined) throw new TypeError('a party was not kept');
    return id;
  }

  find(address: DeviceAddress, addedIn: number): number | undefined {
    return this.#ids.of(`${address.account}.${address.device}.${addedIn}`, () => {
      const row = this.#db.get(
        'SELECT id FROM party WHERE account = ? AND device = ? AND added_in = ?',
        address.account,
        address.device,
        addedIn,
      );
      return row && integer(row, 'id');
    });
  }

  /** All that an account's devices have been. */
  ofAccount(account: AccountId): number[] {
    return this.#db.all('SELECT id FROM party WHERE account = ?', account).map((row) => integer(row, 'id'));
  }

  /** The newest that a device's address has been. */
  newest(address: DeviceAddress): number | undefined {
    const row = this.#db.get(
      'SELECT id FROM party WHERE account = ? AND device = ? ORDER BY added_in DESC LIMIT 1',
      address.account,
      address.device,
    );
    return row && integer(row, 'id');
  }

  address(party: number): DeviceAddress {
    return this.#addresses.of(party, () => {
      const row = this.#db.get('SELECT account, device FROM party WHERE id = ?', party);
      if (row === undefined) throw new TypeError('no such party');
      return { account: parseAccountId(text(row, 'account')), device: parseDeviceId(integer(row, 'device')) };
    });
  }
}
