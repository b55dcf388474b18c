import type { DeviceKey } from '../device-key.ts';
import type { OneTimeKey, PrekeyCount, PrekeyUpload, SignedKey, TakenKeys } from '../prekey-store.ts';
import { planPublish, prekeyHash } from '../rules/prekey-pool.ts';
import type { StoreLimits } from '../store-limits.ts';
import { blob, deviceParameters, number, optionalBlob, optionalNumber, text, toRow, type Row } from './columns.ts';
import type { Db } from './database.ts';

/** Prekeys in directory.db. Writes happen in the caller's transaction. */
export type SqlitePrekeys = {
  publish(device: DeviceKey, upload: PrekeyUpload): 'stored' | 'key_conflict' | 'too_many';
  take(device: DeviceKey, oneTime: boolean): TakenKeys | undefined;
  count(device: DeviceKey): PrekeyCount;
  repeated(device: DeviceKey): { signedPrekey: SignedKey; lastResortKyber: SignedKey } | undefined;
  /** Deletes all keys of a device that left its list. */
  forget(device: DeviceKey): void;
};

type Kind = 'ec' | 'kyber';
type AnyKey = OneTimeKey | SignedKey;

/** `incarnation` is the relay store's: one-time keys published under another are not handed out. */
export function createSqlitePrekeys(
  db: Db,
  { incarnation, limits }: { readonly incarnation: string; readonly limits: StoreLimits },
): SqlitePrekeys {
  const where = 'account = ? AND device = ? AND added_in = ?';
  const load = db.prepare(`SELECT * FROM prekeys WHERE ${where}`);
  const save = db.prepare('INSERT OR REPLACE INTO prekeys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const remove = db.prepare(`DELETE FROM prekeys WHERE ${where}`);
  const removeOneTime = db.prepare(`DELETE FROM one_time_key WHERE ${where}`);
  const setUnder = db.prepare(`UPDATE prekeys SET published_under = ? WHERE ${where}`);
  const dropLeft = db.prepare(
    `UPDATE one_time_key SET public_key = NULL, signature = NULL WHERE ${where} AND public_key IS NOT NULL`,
  );
  const hashOf = db.prepare(`SELECT hash FROM one_time_key WHERE ${where} AND kind = ? AND id = ?`);
  const add = db.prepare(`
    INSERT INTO one_time_key (account, device, added_in, kind, id, hash, public_key, signature)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
  const left = db
    .prepare(`SELECT count(*) FROM one_time_key WHERE ${where} AND kind = ? AND public_key IS NOT NULL`)
    .pluck();
  const first = db.prepare(`
    SELECT place, id, public_key, signature FROM one_time_key
    WHERE ${where} AND kind = ? AND public_key IS NOT NULL ORDER BY place LIMIT 1`);
  const setGone = db.prepare('UPDATE one_time_key SET public_key = NULL, signature = NULL WHERE place = ?');
  const forgetGone = db.prepare(`
    DELETE FROM one_time_key WHERE place IN (
      SELECT place FROM one_time_key WHERE ${where} AND kind = ? AND public_key IS NULL
      ORDER BY place DESC LIMIT -1 OFFSET ?)`);

  /** The device's row; its one-time keys of another incarnation are dropped first. */
  const touch = (device: DeviceKey): Row | undefined => {
    const row = toRow(load.get(deviceParameters(device)));
    if (row === undefined || text(row, 'published_under') === incarnation) return row;
    dropLeft.run(deviceParameters(device));
    setUnder.run(incarnation, ...deviceParameters(device));
    return row;
  };
  const leftOf = (device: DeviceKey, kind: Kind): number => Number(left.get(...deviceParameters(device), kind));

  const plan = (device: DeviceKey, kind: Kind, offered: readonly AnyKey[]) =>
    planPublish({
      offered,
      knownHash(id) {
        const row = toRow(hashOf.get(...deviceParameters(device), kind, id));
        return row && blob(row, 'hash');
      },
      inPool: leftOf(device, kind),
      max: limits.oneTimeKeysPerDevice,
    });
  const addAll = (device: DeviceKey, kind: Kind, keys: readonly AnyKey[], isNew: (id: number) => boolean): void => {
    const added = new Set<number>();
    for (const key of keys) {
      if (!isNew(key.id) || added.has(key.id)) continue;
      added.add(key.id);
      const signature = 'signature' in key ? key.signature : null;
      add.run(...deviceParameters(device), kind, key.id, prekeyHash(key), key.publicKey, signature);
    }
    if (added.size > 0) forgetGone.run(...deviceParameters(device), kind, limits.oneTimeKeysRemembered);
  };
  const takeFirst = (device: DeviceKey, kind: Kind): Row | undefined => {
    const row = toRow(first.get(...deviceParameters(device), kind));
    if (row) setGone.run(number(row, 'place'));
    return row;
  };

  return {
    publish(device, upload) {
      const row = touch(device);
      const [ec, kyber] = [upload.oneTimeKeys ?? [], upload.oneTimeKyberKeys ?? []];
      const [ecPlan, kyberPlan] = [plan(device, 'ec', ec), plan(device, 'kyber', kyber)];
      if (ecPlan.type === 'key_conflict' || kyberPlan.type === 'key_conflict') return 'key_conflict';
      if (ecPlan.type !== 'add' || kyberPlan.type !== 'add') return 'too_many';
      const signed = upload.signedPrekey ?? (row && signedKey(row, 'signed'));
      const lastResort = upload.lastResortKyber ?? (row && signedKey(row, 'kyber'));
      save.run(...deviceParameters(device), incarnation, ...parameters(signed), ...parameters(lastResort));
      addAll(device, 'ec', ec, (id) => ecPlan.hashes.has(id));
      addAll(device, 'kyber', kyber, (id) => kyberPlan.hashes.has(id));
      return 'stored';
    },
    take(device, oneTime) {
      const row = touch(device);
      const [signedPrekey, lastResort] = [row && signedKey(row, 'signed'), row && signedKey(row, 'kyber')];
      if (signedPrekey === undefined || lastResort === undefined) return undefined;
      if (!oneTime) return { signedPrekey, kyberKey: lastResort };
      const [ec, kyber] = [takeFirst(device, 'ec'), takeFirst(device, 'kyber')];
      const kyberKey = kyber && { ...oneTimeKey(kyber), signature: blob(kyber, 'signature') };
      return { signedPrekey, kyberKey: kyberKey ?? lastResort, ...(ec && { oneTimeKey: oneTimeKey(ec) }) };
    },
    count(device) {
      touch(device);
      return { oneTimeKeys: leftOf(device, 'ec'), oneTimeKyberKeys: leftOf(device, 'kyber') };
    },
    repeated(device) {
      const row = touch(device);
      const [signedPrekey, lastResortKyber] = [row && signedKey(row, 'signed'), row && signedKey(row, 'kyber')];
      return signedPrekey && lastResortKyber && { signedPrekey, lastResortKyber };
    },
    forget(device) {
      remove.run(deviceParameters(device));
      removeOneTime.run(deviceParameters(device));
    },
  };
}

function oneTimeKey(row: Row): OneTimeKey {
  return { id: number(row, 'id'), publicKey: blob(row, 'public_key') };
}

function signedKey(row: Row, name: 'signed' | 'kyber'): SignedKey | undefined {
  const [id, publicKey] = [optionalNumber(row, `${name}_id`), optionalBlob(row, `${name}_key`)];
  const signature = optionalBlob(row, `${name}_signature`);
  return id === undefined || !publicKey || !signature ? undefined : { id, publicKey, signature };
}

function parameters(key: SignedKey | undefined): [number | null, Uint8Array | null, Uint8Array | null] {
  return key ? [key.id, key.publicKey, key.signature] : [null, null, null];
}
