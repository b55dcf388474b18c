import {
  decodeSignedDeviceList,
  readDeviceList,
  sameBytes,
  uuidToBytes,
  type AccountId,
  type DeviceList,
} from '@waxwing/protocol';
import type { DirectoryStore, StoredList } from '../directory-store.ts';
import type { DeviceKey } from '../device-key.ts';
import { holdsToken } from '../rules/generation.ts';
import { removedDevices } from '../rules/removed-devices.ts';
import { blob, deviceParameters, optionalBlob, toRow } from './columns.ts';
import type { Db } from './database.ts';
import { createRecent } from './recent.ts';

/** How many accounts' lists stay in memory after they were read. */
const CACHED = 50_000;

/** Device lists and generations in directory.db. Writes happen in the caller's transaction. */
export type SqliteLists = {
  newest(account: AccountId): DeviceList | undefined;
  deviceList(account: AccountId): StoredList | undefined;
  /** Stores version 1 of an account that is not there. */
  add(list: StoredList): void;
  put(next: StoredList): Awaited<ReturnType<DirectoryStore['putDeviceList']>>;
  claim(device: DeviceKey, tokens: readonly Uint8Array[]): 'accepted' | 'cloned';
  holds(device: DeviceKey, tokens: readonly Uint8Array[]): boolean;
  /** The caller's transaction was not kept: what was read in it is forgotten. */
  forget(): void;
};

export function createSqliteLists(db: Db, o: { readonly onRemoved: (device: DeviceKey) => void }): SqliteLists {
  const load = db.prepare('SELECT signed, signed_before FROM device_list WHERE account = ?');
  const insert = db.prepare('INSERT INTO device_list VALUES (?, ?, ?, NULL)');
  const replace = db.prepare('UPDATE device_list SET version = ?, signed = ?, signed_before = ? WHERE account = ?');
  const loadToken = db.prepare('SELECT token FROM generation WHERE account = ? AND device = ? AND added_in = ?');
  const saveToken = db.prepare('INSERT OR REPLACE INTO generation VALUES (?, ?, ?, ?)');
  const removeToken = db.prepare('DELETE FROM generation WHERE account = ? AND device = ? AND added_in = ?');
  let lists = createRecent<StoredList>(CACHED);

  const deviceList = (account: AccountId): StoredList | undefined => {
    const known = lists.get(account);
    if (known) return known;
    const row = toRow(load.get(uuidToBytes(account)));
    if (row === undefined) return undefined;
    const list = toStoredList(blob(row, 'signed'));
    lists.set(account, list);
    return list;
  };
  const before = (account: AccountId): StoredList | undefined => {
    const row = toRow(load.get(uuidToBytes(account)));
    const signed = row && optionalBlob(row, 'signed_before');
    return signed && toStoredList(signed);
  };
  const token = (device: DeviceKey): Uint8Array | undefined => {
    const row = toRow(loadToken.get(deviceParameters(device)));
    return row && blob(row, 'token');
  };

  return {
    newest: (account) => deviceList(account)?.list,
    deviceList,
    add(list) {
      const { account, version } = list.list;
      insert.run(uuidToBytes(account), version, list.signed);
      lists.set(account, list);
    },
    put(next) {
      const { account, version } = next.list;
      const stored = deviceList(account);
      if (stored === undefined) return { type: 'stale_version' };
      if (sameBytes(stored.signed, next.signed)) {
        const earlier = before(account);
        return { type: 'stored', removed: earlier ? removedDevices(earlier.list, next.list) : [] };
      }
      if (version !== stored.list.version + 1) return { type: 'stale_version' };
      const removed = removedDevices(stored.list, next.list);
      replace.run(version, next.signed, stored.signed, uuidToBytes(account));
      lists.set(account, next);
      for (const device of removed) {
        removeToken.run(deviceParameters(device));
        o.onRemoved(device);
      }
      return { type: 'stored', removed };
    },
    claim(device, tokens) {
      const newest = tokens.at(-1);
      const stored = token(device);
      if (newest === undefined || !holdsToken(stored, tokens)) return 'cloned';
      // One that comes back with the token that it had costs no write.
      if (stored === undefined || !sameBytes(stored, newest)) saveToken.run(...deviceParameters(device), newest);
      return 'accepted';
    },
    holds: (device, tokens) => holdsToken(token(device), tokens),
    forget() {
      lists = createRecent<StoredList>(CACHED);
    },
  };
}

function toStoredList(signed: Uint8Array): StoredList {
  return { signed, list: readDeviceList(decodeSignedDeviceList(signed)) };
}
