import { deviceKeyText, type DeviceKey } from '../device-key.ts';
import type { OneTimeKey, PrekeyStore, PrekeyUpload, SignedKey, TakenKeys } from '../prekey-store.ts';
import { planPublish, prekeyHash } from '../rules/prekey-pool.ts';
import type { StoreLimits } from '../store-limits.ts';
import type { DevicePrekeys, DirectoryState, Pool } from './state.ts';

export type MemoryPrekeys = PrekeyStore & {
  publishNow(device: DeviceKey, keys: PrekeyUpload): 'stored' | 'key_conflict' | 'too_many';
  /** Deletes all keys of a device that left its list. */
  forget(device: DeviceKey): void;
};

/** Prekeys in memory. `incarnation` is the relay store's: keys published under another are not handed out. */
export function createMemoryPrekeys(
  state: DirectoryState,
  o: { readonly incarnation: string; readonly limits: StoreLimits },
): MemoryPrekeys {
  const { incarnation, limits } = o;

  /** The device's keys, without the one-time keys of another incarnation. */
  const touch = (device: DeviceKey): DevicePrekeys | undefined => {
    const keys = state.prekeys.get(deviceKeyText(device));
    if (keys === undefined || keys.publishedUnder === incarnation) return keys;
    for (const pool of [keys.oneTimeKeys, keys.oneTimeKyberKeys]) {
      for (const id of [...pool.left.keys()]) takeKey<OneTimeKey | SignedKey>(pool, id, limits);
    }
    keys.publishedUnder = incarnation;
    return keys;
  };

  const publishNow: MemoryPrekeys['publishNow'] = (device, upload) => {
    const keys = touch(device) ?? {
      device,
      oneTimeKeys: { left: new Map<number, OneTimeKey>(), gone: new Map<number, Uint8Array>() },
      oneTimeKyberKeys: { left: new Map<number, SignedKey>(), gone: new Map<number, Uint8Array>() },
      publishedUnder: incarnation,
    };
    const plan = planPool(keys.oneTimeKeys, upload.oneTimeKeys ?? [], limits);
    const kyberPlan = planPool(keys.oneTimeKyberKeys, upload.oneTimeKyberKeys ?? [], limits);
    for (const { type } of [plan, kyberPlan]) if (type === 'key_conflict') return 'key_conflict';
    if (plan.type !== 'add' || kyberPlan.type !== 'add') return 'too_many';
    for (const key of upload.oneTimeKeys ?? []) if (plan.hashes.has(key.id)) keys.oneTimeKeys.left.set(key.id, key);
    for (const key of upload.oneTimeKyberKeys ?? []) {
      if (kyberPlan.hashes.has(key.id)) keys.oneTimeKyberKeys.left.set(key.id, key);
    }
    if (upload.signedPrekey) keys.signedPrekey = upload.signedPrekey;
    if (upload.lastResortKyber) keys.lastResortKyber = upload.lastResortKyber;
    state.prekeys.set(deviceKeyText(device), keys);
    return 'stored';
  };

  const take = (device: DeviceKey, oneTime: boolean): TakenKeys | undefined => {
    const keys = touch(device);
    if (keys?.signedPrekey === undefined || keys.lastResortKyber === undefined) return undefined;
    const { signedPrekey, lastResortKyber } = keys;
    if (!oneTime) return { signedPrekey, kyberKey: lastResortKyber };
    const oneTimeKey = takeFirst(keys.oneTimeKeys, limits);
    const kyberKey = takeFirst(keys.oneTimeKyberKeys, limits) ?? lastResortKyber;
    return { signedPrekey, kyberKey, ...(oneTimeKey && { oneTimeKey }) };
  };

  return {
    publishNow,
    publish: (device, keys) => Promise.resolve(publishNow(device, keys)),
    take: (device, { oneTime }) => Promise.resolve(take(device, oneTime)),
    count(device) {
      const keys = touch(device);
      return Promise.resolve({
        oneTimeKeys: keys?.oneTimeKeys.left.size ?? 0,
        oneTimeKyberKeys: keys?.oneTimeKyberKeys.left.size ?? 0,
      });
    },
    repeated(device) {
      const { signedPrekey, lastResortKyber } = touch(device) ?? {};
      return Promise.resolve(signedPrekey && lastResortKyber && { signedPrekey, lastResortKyber });
    },
    forget: (device) => void state.prekeys.delete(deviceKeyText(device)),
  };
}

function planPool<Key extends OneTimeKey | SignedKey>(pool: Pool<Key>, offered: readonly Key[], limits: StoreLimits) {
  return planPublish({
    offered,
    knownHash(id) {
      const left = pool.left.get(id);
      return left ? prekeyHash(left) : pool.gone.get(id);
    },
    inPool: pool.left.size,
    max: limits.oneTimeKeysPerDevice,
  });
}

function takeFirst<Key extends OneTimeKey | SignedKey>(pool: Pool<Key>, limits: StoreLimits): Key | undefined {
  for (const id of pool.left.keys()) return takeKey(pool, id, limits);
  return undefined;
}

/** Takes the key out of the pool for good; the newest that went are remembered. */
function takeKey<Key extends OneTimeKey | SignedKey>(
  pool: Pool<Key>,
  id: number,
  limits: StoreLimits,
): Key | undefined {
  const key = pool.left.get(id);
  if (key === undefined) return undefined;
  pool.left.delete(id);
  pool.gone.set(id, prekeyHash(key));
  for (const oldest of pool.gone.keys()) {
    if (pool.gone.size <= limits.oneTimeKeysRemembered) break;
    pool.gone.delete(oldest);
  }
  return key;
}
