import { describe, expect, it } from 'vitest';
import {
  deviceListHash,
  isPublicKey,
  parseAccountId,
  parseDeviceId,
  signDeviceList,
  verifyDeviceList,
  verifySuccessor,
  type DeviceList,
  type ListedDevice,
  type SignedDeviceList,
} from '@waxwing/protocol';
import { newIdentity, verifyIdentity, type Identity } from './identity.ts';

const account = parseAccountId('00112233-4455-4077-8899-aabbccddeeff');
const refusedFor = (what: string): Error =>
  expect.objectContaining({ code: 'bad_device_list', message: `bad_device_list: ${what}` }) as Error;

function listed(device: number, addedIn: number): ListedDevice {
  return {
    device: parseDeviceId(device),
    registrationId: 100 + device,
    authKey: new Uint8Array(32).fill(device),
    addedIn,
    encryptedName: new Uint8Array(),
  };
}

const first = newIdentity();
const second = newIdentity();

const one: DeviceList = {
  account,
  version: 1,
  previousHash: new Uint8Array(),
  identityKey: first.publicKey,
  identityGeneration: 1,
  devices: [listed(1, 1)],
  createdAtMs: 1_800_000_000_000,
};
const signedOne = signDeviceList(one, first.sign);

/** Version 2, which adds a device: with parts changed, signed by whom it says. */
function two(wrong: Partial<DeviceList> = {}, by: Identity = first, previous?: Identity): SignedDeviceList {
  const list = {
    ...one,
    version: 2,
    previousHash: deviceListHash(signedOne),
    devices: [listed(1, 1), listed(2, 2)],
    ...wrong,
  };
  return signDeviceList(list, by.sign, previous?.sign);
}
const rotated = { identityKey: second.publicKey, identityGeneration: 2 };

describe('a device list', () => {
  it('is its account’s, signed by the key in it', () => {
    expect(verifyDeviceList(signedOne, account, verifyIdentity).devices).toHaveLength(1);
  });

  it('is refused for another account', () => {
    const other = parseAccountId('00112233-4455-4077-8899-aabbccddee00');
    expect(() => verifyDeviceList(signedOne, other, verifyIdentity)).toThrow(refusedFor('account'));
  });

  it('is refused when another key signed it', () => {
    const forged = signDeviceList(one, second.sign);
    expect(() => verifyDeviceList(forged, account, verifyIdentity)).toThrow(refusedFor('signature'));
  });

  it('is refused with any byte of it changed', () => {
    for (let index = 0; index < signedOne.bytes.length; index += 1) {
      const bytes = Uint8Array.from(signedOne.bytes);
      bytes[index] = (bytes[index] ?? 0) ^ 1;
      expect(() => verifyDeviceList({ ...signedOne, bytes }, account, verifyIdentity)).toThrow();
    }
  });
});

describe('a successor', () => {
  const verify = (next: SignedDeviceList, previous = signedOne) => verifySuccessor(previous, next, verifyIdentity);

  it('adds a device, takes one away, or lets one id stand for another device', () => {
    const added = two();
    expect(verify(added).devices.map((device) => device.device)).toEqual([1, 2]);
    const removing = signDeviceList(
      { ...one, version: 3, previousHash: deviceListHash(added), devices: [listed(2, 2)] },
      first.sign,
    );
    expect(verify(removing, added).devices.map((device) => device.device)).toEqual([2]);
    const other = { ...listed(1, 2), authKey: new Uint8Array(32).fill(99), registrationId: 9 };
    expect(verify(two({ devices: [other] })).devices).toHaveLength(1);
  });

  it('may change the identity key when both keys sign', () => {
    expect(verify(two(rotated, second, first)).identityGeneration).toBe(2);
  });

  it.each<readonly [what: string, next: SignedDeviceList]>([
    ['signature', two({}, second)],
    ['account', two({ account: parseAccountId('00112233-4455-4077-8899-aabbccddee00') })],
    ['version', two({ version: 3 })],
    ['version', signedOne],
    ['previous hash', two({ previousHash: new Uint8Array(32) })],
    ['identity generation', two({ identityGeneration: 2 })],
    ['identity generation', two({ ...rotated, identityGeneration: 1 }, second, first)],
    ['no signature by the key before', two(rotated, second)],
    ['signature by the key before', two(rotated, second, second)],
    ['added in', two({ devices: [listed(1, 1), listed(2, 1)] })],
    ['registration id', two({ devices: [{ ...listed(1, 1), registrationId: 5 }] })],
    ['auth key', two({ devices: [{ ...listed(1, 1), authKey: new Uint8Array(32) }] })],
  ])('is refused for a wrong %s', (what, next) => {
    expect(() => verify(next)).toThrow(refusedFor(what));
  });

  it('needs the rotation’s own signature: that of the list, by the key before, does not count', () => {
    const list = two(rotated, second);
    const listSignatureByFirst = signDeviceList(
      {
        ...one,
        version: 2,
        ...rotated,
        previousHash: deviceListHash(signedOne),
        devices: [listed(1, 1), listed(2, 2)],
      },
      first.sign,
    ).signature;
    expect(() => verify({ ...list, previousSignature: listSignatureByFirst })).toThrow(
      refusedFor('signature by the key before'),
    );
  });
});

describe('a public key', () => {
  it('has one form: type 5, 33 bytes, top bit clear', () => {
    const key = first.publicKey;
    const withTopBit = Uint8Array.from(key);
    withTopBit[32] = (withTopBit[32] ?? 0) | 0x80;
    expect(isPublicKey(key)).toBe(true);
    expect(
      [withTopBit, key.subarray(1), Uint8Array.of(...key, 0), new Uint8Array(33), new Uint8Array()].some(isPublicKey),
    ).toBe(false);
  });
});
