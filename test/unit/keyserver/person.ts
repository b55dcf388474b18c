import { generateKeyPairSync, randomBytes, randomUUID, sign as signEd25519 } from 'node:crypto';
import { IdentityKeyPair, KEMKeyPair, PrivateKey, PublicKey, usernames } from '@signalapp/libsignal-client';
import {
  audience,
  encodeSignedDeviceList,
  parseAccountId,
  parseDeviceId,
  requestHash,
  signDeviceList,
  signedBytes,
  signToken,
  tokenTimes,
  type AccountId,
  type DeviceList,
  type HttpClaims,
  type ListedDevice,
  type OneTimeKeyJson,
  type RegisterJson,
  type SignedDeviceList,
  type SignedKeyJson,
  type TokenClaims,
  type UsernameJson,
} from '@waxwing/protocol';

export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

/** A device with real keys. `sign` is by its auth key. */
export type TestDevice = {
  readonly listed: ListedDevice;
  readonly sign: (message: Uint8Array) => Uint8Array;
  /** The generations that its tokens name. */
  readonly generations: Uint8Array[];
};

export function createDevice(id: number, addedIn: number): TestDevice {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    listed: {
      device: parseDeviceId(id),
      registrationId: 1 + Math.floor(Math.random() * 0x3ffe),
      authKey: Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url'),
      addedIn,
      encryptedName: new Uint8Array(),
    },
    sign: (message) => signEd25519(null, message, privateKey),
    generations: [randomBytes(16)],
  };
}

/** An account's identity and first device, with everything a registration needs. */
export type Person = {
  readonly account: AccountId;
  readonly identity: IdentityKeyPair;
  readonly device: TestDevice;
  readonly list: DeviceList;
  readonly signed: SignedDeviceList;
};

export function signList(identity: IdentityKeyPair, list: DeviceList, previous?: IdentityKeyPair): SignedDeviceList {
  const by = (pair: IdentityKeyPair) => (message: Uint8Array) => pair.privateKey.sign(new Uint8Array(message));
  return signDeviceList(list, by(identity), previous && by(previous));
}

export function createPerson(changes: Partial<DeviceList> = {}): Person {
  const identity = IdentityKeyPair.generate();
  const device = createDevice(1, 1);
  const account = parseAccountId(randomUUID());
  const list: DeviceList = {
    account,
    version: 1,
    previousHash: new Uint8Array(),
    identityKey: identity.publicKey.serialize(),
    identityGeneration: 1,
    devices: [device.listed],
    createdAtMs: Date.UTC(2026, 0, 1),
    ...changes,
  };
  return { account, identity, device, list, signed: signList(identity, list) };
}

/** An identity key of order 2. For every second message the neutral element and zero are its signature. */
const weakIdentityKey = new Uint8Array([5, ...Buffer.alloc(32)]);
const WEAK_SIGNATURE = new Uint8Array([1, ...Buffer.alloc(63)]);

/** A list under the weak identity key that verifies, though nobody has the private key. */
export function forgeList(list: DeviceList, previous?: IdentityKeyPair): SignedDeviceList {
  const weakKey = PublicKey.deserialize(weakIdentityKey);
  const signPrevious = previous && ((message: Uint8Array) => previous.privateKey.sign(new Uint8Array(message)));
  for (let createdAtMs = 1; createdAtMs < 1_000; createdAtMs++) {
    const weak = { ...list, identityKey: weakIdentityKey, createdAtMs };
    const signed = signDeviceList(weak, () => WEAK_SIGNATURE, signPrevious);
    const message = new Uint8Array(signedBytes('device-list', signed.bytes));
    if (weakKey.verify(message, WEAK_SIGNATURE)) return signed;
  }
  throw new Error('no list verifies');
}

export function forgePerson(): Person {
  const person = createPerson();
  return { ...person, signed: forgeList(person.list) };
}

export const listText = (signed: SignedDeviceList): string => text(encodeSignedDeviceList(signed));

export function ecKey(id: number): OneTimeKeyJson {
  return { id, publicKey: text(PrivateKey.generate().getPublicKey().serialize()) };
}

export function signKey(identity: IdentityKeyPair, id: number, publicKey: Uint8Array): SignedKeyJson {
  return { id, publicKey: text(publicKey), signature: text(identity.privateKey.sign(new Uint8Array(publicKey))) };
}

export function signedKey(identity: IdentityKeyPair, id: number): SignedKeyJson {
  return signKey(identity, id, PrivateKey.generate().getPublicKey().serialize());
}

export function kyberKey(identity: IdentityKeyPair, id: number): SignedKeyJson {
  return signKey(identity, id, KEMKeyPair.generate().getPublicKey().serialize());
}

/** The ids of one-time keys start at `from`; the last-resort Kyber key has id 1,000,000. */
export function prekeys(identity: IdentityKeyPair, oneTime = 2, from = 1): RegisterJson['prekeys'] {
  const ids = Array.from({ length: oneTime }, (_, index) => from + index);
  return {
    signedPrekey: signedKey(identity, 1),
    lastResortKyber: kyberKey(identity, 1_000_000),
    oneTimeKeys: ids.map(ecKey),
    oneTimeKyberKeys: ids.map((id) => kyberKey(identity, id)),
  };
}

export function registration(person: Person, oneTime = 2): RegisterJson {
  return { deviceList: listText(person.signed), prekeys: prekeys(person.identity, oneTime) };
}

export function usernameOf(name: string): UsernameJson {
  return { hash: text(usernames.hash(name)), proof: text(usernames.generateProof(name)) };
}

export const ORIGIN = 'https://keys.example';

export type TokenRequest = { method: string; path: string; body?: string | undefined };

/** The claims of a token that the keyserver takes for this request at this time. */
export function claimsFor(
  person: { account: AccountId },
  device: TestDevice,
  nowMs: number,
  { method, path, body = '' }: TokenRequest,
): HttpClaims {
  return {
    iss: `${person.account}.${device.listed.device}`,
    aud: audience('keys', ORIGIN),
    ...tokenTimes(nowMs),
    req: requestHash(method, path, Buffer.from(body)),
    gen: device.generations.map(text),
  };
}

export function bearer(claims: TokenClaims, device: TestDevice): string {
  return `Bearer ${signToken(claims, device.sign)}`;
}
