import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import {
  parseAccountId,
  parseDeviceId,
  sha256,
  signDeviceList,
  encodeSignedDeviceList,
  type AccountId,
  type DeviceId,
  type DeviceList,
  type ListedDevice,
  type Runtime,
} from '@waxwing/protocol';
import type { DeviceKey, PrekeyUpload, Storage, StoredList } from '@waxwing/storage';

/** A device that exists in the directory, with what its owner holds. */
export type TestDevice = {
  readonly account: AccountId;
  readonly device: DeviceId;
  readonly registrationId: number;
  readonly key: DeviceKey;
  sign(message: Uint8Array): Uint8Array;
};

export type TestAccount = { readonly account: AccountId; readonly devices: readonly [TestDevice, ...TestDevice[]] };

/** Puts an account with this many devices into the directory. Its list is signed with zeros: the relay verifies no list. */
export async function registerAccount(
  { storage, runtime }: { storage: Storage; runtime: Runtime },
  { devices = 1, oneTimeKeys = 40 }: { devices?: number; oneTimeKeys?: number } = {},
): Promise<TestAccount> {
  const account = newAccountId(runtime);
  const first = createDevice(account, 1, 1);
  let list: DeviceList = {
    account,
    version: 1,
    previousHash: new Uint8Array(0),
    identityKey: Buffer.concat([Buffer.of(5), Buffer.alloc(32, 7)]),
    identityGeneration: 1,
    devices: [first.listed],
    createdAtMs: runtime.clock.now(),
  };
  const answer = await storage.directory.register({ list: stored(list), prekeys: prekeys(oneTimeKeys) });
  if (answer !== 'created') throw new Error(answer);
  const all: [TestDevice, ...TestDevice[]] = [first.held];
  for (let id = 2; id <= devices; id += 1) {
    const next = createDevice(account, id, list.version + 1);
    list = await putList(storage, list, [...list.devices, next.listed]);
    await storage.prekeys.publish(next.held.key, prekeys(oneTimeKeys));
    all.push(next.held);
  }
  return { account, devices: all };
}

/** Takes a device from the account's list, in the directory only. */
export async function unlist(storage: Storage, gone: TestDevice): Promise<void> {
  const before = await storage.directory.deviceList(gone.account);
  if (!before) throw new Error('no such account');
  const { list } = before;
  await putList(
    storage,
    list,
    list.devices.filter((other) => other.device !== gone.device),
  );
}

async function putList(storage: Storage, before: DeviceList, devices: readonly ListedDevice[]): Promise<DeviceList> {
  const next = { ...before, version: before.version + 1, previousHash: sha256(stored(before).signed), devices };
  const answer = await storage.directory.putDeviceList(stored(next));
  if (answer.type !== 'stored') throw new Error(answer.type);
  return next;
}

function stored(list: DeviceList): StoredList {
  return { signed: encodeSignedDeviceList(signDeviceList(list, () => new Uint8Array(64))), list };
}

function createDevice(account: AccountId, id: number, addedIn: number): { held: TestDevice; listed: ListedDevice } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const device = parseDeviceId(id);
  const registrationId = 1_000 + id;
  return {
    held: {
      account,
      device,
      registrationId,
      key: { account, device, addedIn },
      sign: (message) => sign(null, message, privateKey),
    },
    listed: { device, registrationId, authKey: rawKey(publicKey), addedIn, encryptedName: new Uint8Array(0) },
  };
}

function rawKey(key: KeyObject): Uint8Array {
  return Buffer.from(String(key.export({ format: 'jwk' }).x), 'base64url');
}

function newAccountId(runtime: Runtime): AccountId {
  const hex = Buffer.from(runtime.randomBytes(16)).toString('hex');
  return parseAccountId(
    `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`,
  );
}

function prekeys(oneTimeKeys: number): PrekeyUpload {
  const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(9);
  const signed = { id: 1, publicKey: bytes(33), signature: bytes(64) };
  const ids = Array.from({ length: oneTimeKeys }, (_, index) => index + 1);
  return {
    signedPrekey: signed,
    lastResortKyber: signed,
    oneTimeKeys: ids.map((id) => ({ id, publicKey: bytes(33) })),
    oneTimeKyberKeys: ids.map((id) => ({ id, publicKey: bytes(33), signature: bytes(64) })),
  };
}
