import { randomBytes } from 'node:crypto';
import {
  parseAccountId,
  parseDeviceId,
  signDeviceList,
  type DeviceList,
  type SignedDeviceList,
} from '@waxwing/protocol';
import { createLibsignalCrypto } from '../../../../client-core/src/session/libsignal-crypto.ts';

export const crypto = createLibsignalCrypto((length) => randomBytes(length));
export const account = parseAccountId('11111111-0000-4000-8000-000000000001');
/** Whose lists these are, unless another is named. */
export const first = crypto.createIdentity();
export type Identity = typeof first;

export const device = (id: number, addedIn: number) => ({
  device: parseDeviceId(id),
  registrationId: 100 + id,
  authKey: new Uint8Array(32).fill(7),
  addedIn,
  encryptedName: new Uint8Array(0),
});

/** A list of one device in version 1, but for what is given; signed by the identity before as well, if that is given. */
export function sign(list: Partial<DeviceList>, by: Identity = first, before?: Identity): SignedDeviceList {
  const whole: DeviceList = {
    account,
    version: 1,
    previousHash: new Uint8Array(0),
    identityKey: by.publicKey,
    identityGeneration: 1,
    devices: [device(1, 1)],
    createdAtMs: 1,
    ...list,
  };
  return signDeviceList(
    whole,
    (message) => crypto.signIdentity(by.keyPair, message),
    before && ((message) => crypto.signIdentity(before.keyPair, message)),
  );
}
