import {
  decodeSignedDeviceList,
  deviceListHash,
  encodeSignedDeviceList,
  parseDeviceId,
  readDeviceList,
  signDeviceList,
} from '@waxwing/protocol';
import { createLibsignalCrypto } from '../../client-core/src/session/libsignal-crypto.ts';
import type { SimulatedDevice } from './device.ts';
import type { Listings } from './listings.ts';
import { createRandom } from './random.ts';
import type { SimulatedServer } from './server.ts';

/**
 * A device comes to the account, or goes again: one that is listed and has keys, and no process. Answers how many there
 * are now; undefined while the owner's process is not running.
 */
export async function changeList(
  owner: SimulatedDevice,
  server: SimulatedServer,
  o: { readonly seed: number; readonly nowMs: number; readonly listings: Listings },
): Promise<number | undefined> {
  const row = owner.store?.device.get();
  const stored = await server.storage.directory.deviceList(owner.account);
  if (!row || !stored) return undefined;
  const crypto = createLibsignalCrypto(createRandom(`list ${o.seed} ${stored.list.version}`).bytes);
  const version = stored.list.version + 1;
  const device = parseDeviceId(2);
  const before = stored.list.devices;
  const auth = crypto.createAuthKeys();
  const added = {
    device,
    registrationId: crypto.createRegistrationId(),
    authKey: auth.publicKey,
    addedIn: version,
    encryptedName: new Uint8Array(0),
  };
  const devices = before.some((one) => one.device === device)
    ? before.filter((one) => one.device !== device)
    : [...before, added];
  const list = {
    ...stored.list,
    version,
    previousHash: deviceListHash(decodeSignedDeviceList(stored.signed)),
    devices,
  };
  const signed = signDeviceList(list, (message) => crypto.signIdentity(row.identityKeyPair, message));
  const encoded = encodeSignedDeviceList(signed);
  o.listings.made(encoded);
  await server.storage.directory.putDeviceList({ signed: encoded, list: readDeviceList(signed) });
  if (devices.length > before.length) {
    const local = {
      address: { account: owner.account, device },
      registrationId: added.registrationId,
      identityKeyPair: row.identityKeyPair,
    };
    const { upload } = crypto.createRepeatedKeys(local, 1, o.nowMs);
    const bytes = (text: string): Uint8Array => Buffer.from(text, 'base64url');
    const key = (one: typeof upload.signedPrekey) => ({
      id: one.id,
      publicKey: bytes(one.publicKey),
      signature: bytes(one.signature),
    });
    await server.storage.prekeys.publish(
      { account: owner.account, device, addedIn: version },
      { signedPrekey: key(upload.signedPrekey), lastResortKyber: key(upload.lastResortKyber) },
    );
  }
  return devices.length;
}
