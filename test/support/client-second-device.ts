import {
  deviceListHash,
  encodeSignedDeviceList,
  parseDeviceId,
  readDeviceList,
  decodeSignedDeviceList,
  signDeviceList,
  type DeviceList,
  type ListedDevice,
  type RecipientDevice,
} from '@waxwing/protocol';
import type { CryptoChange, LocalKeys, Peer } from '../../client-core/src/session/crypto.ts';
import type { ClientWorld, TestClient } from './client-world.ts';

/** Another device of a test client's account, without a client: it can read one ciphertext after the other. */
export type SecondDevice = {
  readonly listed: ListedDevice;
  /** The plaintext of a message from this device, or why it could not be read. */
  read(from: TestClient, sent: RecipientDevice): Promise<Uint8Array | string>;
};

/** Changes the account's device list, signed as its owner signs. */
export async function putList(
  world: ClientWorld,
  owner: TestClient,
  change: (list: DeviceList) => Partial<DeviceList>,
): Promise<DeviceList> {
  const { crypto } = owner.runtime;
  const stored = await world.storage.directory.deviceList(owner.client.account);
  if (stored === undefined) throw new Error('no such account');
  const before = decodeSignedDeviceList(stored.signed);
  const version = stored.list.version + 1;
  const list = {
    ...stored.list,
    version,
    previousHash: deviceListHash(before),
    ...change({ ...stored.list, version }),
  };
  const signed = signDeviceList(list, (message) => crypto.signIdentity(owner.identity.keyPair, message));
  await world.storage.directory.putDeviceList({ signed: encodeSignedDeviceList(signed), list: readDeviceList(signed) });
  return list;
}

export async function addDevice(world: ClientWorld, owner: TestClient, id = 2): Promise<SecondDevice> {
  const { crypto, clock } = owner.runtime;
  const device = parseDeviceId(id);
  const address = { account: owner.client.account, device };
  const auth = crypto.createAuthKeys();
  const registrationId = crypto.createRegistrationId();
  const local: LocalKeys = { address, registrationId, identityKeyPair: owner.identity.keyPair };
  const nowMs = clock.now();
  const repeated = crypto.createRepeatedKeys(local, 1, nowMs);
  const entries = new Map<string, Uint8Array | undefined>();
  const apply = (changes: readonly CryptoChange[]): void =>
    changes.forEach(({ kind, key, bytes }) => entries.set(`${kind}/${key}`, bytes));
  apply(repeated.changes);
  const { version } = await putList(world, owner, (list) => ({
    devices: [
      ...list.devices,
      { device, registrationId, authKey: auth.publicKey, addedIn: list.version, encryptedName: new Uint8Array(0) },
    ],
  }));
  const bytes = (text: string): Uint8Array => Buffer.from(text, 'base64url');
  const signedKey = ({ id: keyId, publicKey, signature }: { id: number; publicKey: string; signature: string }) => ({
    id: keyId,
    publicKey: bytes(publicKey),
    signature: bytes(signature),
  });
  await world.storage.prekeys.publish(
    { ...address, addedIn: version },
    {
      signedPrekey: signedKey(repeated.upload.signedPrekey),
      lastResortKyber: signedKey(repeated.upload.lastResortKyber),
    },
  );
  return {
    listed: { device, registrationId, authKey: auth.publicKey, addedIn: version, encryptedName: new Uint8Array(0) },
    async read(from, { kind, ciphertext = new Uint8Array(0) }) {
      const peer: Peer = {
        address: { account: from.client.account, device: from.client.device },
        identityKey: from.identity.publicKey,
      };
      const view = { get: (entryKind: string, key: string) => entries.get(`${entryKind}/${key}`) };
      const result = await crypto.decrypt(local, view, peer, kind, ciphertext);
      if (result.type === 'failed') return result.reason;
      apply(result.changes);
      return result.plaintext;
    },
  };
}
