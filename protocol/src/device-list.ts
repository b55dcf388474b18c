import { create, toBinary } from '@bufbuild/protobuf';
import { DeviceListSchema, SignedDeviceListSchema } from './gen/waxwing/v1/device_list_pb.ts';
import { ProtocolError } from './errors.ts';
import { sameBytes, sha256 } from './hash.ts';
import { accountIdFromBytes, parseDeviceId, uuidToBytes, type AccountId, type DeviceId } from './ids.ts';
import { signedBytes } from './labels.ts';
import { limits } from './limits.ts';
import { atMost, decode, exactly, malformed, noUnknown, refuseOver, toCount, toNumber } from './schema.ts';

export type ListedDevice = {
  readonly device: DeviceId;
  /** libsignal's, 1 to 0x3FFF. */
  readonly registrationId: number;
  /** Ed25519 public key of the device's tokens, 32 bytes. */
  readonly authKey: Uint8Array;
  /** The list version that added the device. */
  readonly addedIn: number;
  /** Readable by the account's own devices only; may be empty. */
  readonly encryptedName: Uint8Array;
};

/** The only truth about an account's devices. */
export type DeviceList = {
  readonly account: AccountId;
  readonly version: number;
  /** Hash of the list before; empty in version 1. */
  readonly previousHash: Uint8Array;
  /** 33 bytes: type 5 and the X25519 key, as libsignal writes it. */
  readonly identityKey: Uint8Array;
  /** Counts the account's identity keys from 1. */
  readonly identityGeneration: number;
  readonly devices: readonly ListedDevice[];
  readonly createdAtMs: number;
};

/** A list as it travels: signed and hashed as these bytes, never written anew. */
export type SignedDeviceList = {
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
  /** By the identity key of the list before, where this list has another. */
  readonly previousSignature?: Uint8Array;
};

/** Whether `signature` over `message` is by `identityKey` (libsignal's XEdDSA). */
export type VerifyIdentity = (identityKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
export type SignIdentity = (message: Uint8Array) => Uint8Array;

export function deviceListHash(signed: SignedDeviceList): Uint8Array {
  return sha256(signed.bytes);
}

/** Public keys have the type byte 5 and their top bit clear: another form of the same key would split handles. */
export function isPublicKey(key: Uint8Array): boolean {
  return key.length === 33 && key[0] === 5 && ((key[32] ?? 0x80) & 0x80) === 0;
}

export function signDeviceList(list: DeviceList, sign: SignIdentity, signPrevious?: SignIdentity): SignedDeviceList {
  const bytes = toBinary(
    DeviceListSchema,
    create(DeviceListSchema, {
      account: uuidToBytes(list.account),
      version: list.version,
      previousHash: list.previousHash,
      identityKey: list.identityKey,
      identityGeneration: list.identityGeneration,
      devices: list.devices.map(({ device, registrationId, authKey, addedIn, encryptedName }) => ({
        device,
        registrationId,
        authKey,
        addedIn,
        encryptedName,
      })),
      createdAtMs: BigInt(list.createdAtMs),
    }),
  );
  return {
    bytes,
    signature: sign(signedBytes('device-list', bytes)),
    ...(signPrevious && { previousSignature: signPrevious(signedBytes('identity-rotation', bytes)) }),
  };
}

export function encodeSignedDeviceList(signed: SignedDeviceList): Uint8Array {
  return toBinary(
    SignedDeviceListSchema,
    create(SignedDeviceListSchema, {
      list: signed.bytes,
      signature: signed.signature,
      ...(signed.previousSignature && { previousSignature: signed.previousSignature }),
    }),
  );
}

/** Refuses with `malformed` or `too_large`. Nothing is verified yet. */
export function decodeSignedDeviceList(bytes: Uint8Array): SignedDeviceList {
  const { list, signature, previousSignature, ...rest } = decode(
    SignedDeviceListSchema,
    bytes,
    limits.deviceListMaxBytes,
  );
  noUnknown(rest);
  return {
    bytes: list,
    signature: exactly(signature, 64, 'signature'),
    ...(previousSignature.length > 0 && { previousSignature: exactly(previousSignature, 64, 'signature') }),
  };
}

/** Reads the list without verifying it. Refuses with `malformed` what no list can be. */
export function readDeviceList(signed: SignedDeviceList): DeviceList {
  refuseOver(signed.bytes.length, limits.deviceListMaxBytes, 'device list');
  const message = decode(DeviceListSchema, signed.bytes, limits.deviceListMaxBytes);
  const version = toCount(message.version, 'list version');
  const devices = atMost(message.devices, limits.devicesPerAccount, 'devices').map((device): ListedDevice => ({
    device: parseDeviceId(device.device),
    registrationId:
      device.registrationId >= 1 && device.registrationId <= 0x3fff
        ? device.registrationId
        : malformed('registration id'),
    authKey: exactly(device.authKey, 32, 'auth key'),
    addedIn: toCount(device.addedIn, 'added in') <= version ? device.addedIn : malformed('added in'),
    encryptedName: device.encryptedName,
  }));
  toCount(devices.length, 'devices');
  if (new Set(devices.map((device) => device.device)).size !== devices.length) malformed('device named twice');
  return {
    account: accountIdFromBytes(message.account),
    version,
    previousHash: exactly(message.previousHash, version === 1 ? 0 : 32, 'previous hash'),
    identityKey: isPublicKey(message.identityKey) ? message.identityKey : malformed('identity key'),
    identityGeneration:
      toCount(message.identityGeneration, 'identity generation') <= version
        ? message.identityGeneration
        : malformed('identity generation'),
    devices,
    createdAtMs: toNumber(message.createdAtMs, 'created at'),
  };
}

function refuse(what: string): never {
  throw new ProtocolError('bad_device_list', what);
}

/**
 * Reads and verifies a list on its own: that it is `account`'s and signed by the identity key in it.
 * Says nothing about whether it is the newest, or follows another: see `verifySuccessor`.
 */
export function verifyDeviceList(signed: SignedDeviceList, account: AccountId, verify: VerifyIdentity): DeviceList {
  const list = readDeviceList(signed);
  if (list.account !== account) refuse('account');
  if (!verify(list.identityKey, signedBytes('device-list', signed.bytes), signed.signature)) refuse('signature');
  return list;
}

/**
 * Verifies that `next` follows `previous` directly: version + 1, the hash of the one before, devices that keep what they
 * were, new ones added in this version, and the identity key unchanged or changed by both keys with the next generation.
 */
export function verifySuccessor(
  previous: SignedDeviceList,
  next: SignedDeviceList,
  verify: VerifyIdentity,
): DeviceList {
  const before = readDeviceList(previous);
  const list = verifyDeviceList(next, before.account, verify);
  if (list.version !== before.version + 1) refuse('version');
  if (!sameBytes(list.previousHash, deviceListHash(previous))) refuse('previous hash');
  if (sameBytes(list.identityKey, before.identityKey)) {
    if (list.identityGeneration !== before.identityGeneration) refuse('identity generation');
  } else {
    if (list.identityGeneration !== before.identityGeneration + 1) refuse('identity generation');
    const signature = next.previousSignature ?? refuse('no signature by the key before');
    if (!verify(before.identityKey, signedBytes('identity-rotation', next.bytes), signature)) {
      refuse('signature by the key before');
    }
  }
  const known = new Map(before.devices.map((device) => [device.device, device]));
  for (const device of list.devices) {
    const earlier = known.get(device.device);
    if (device.addedIn === list.version) continue;
    if (earlier?.addedIn !== device.addedIn) refuse('added in');
    if (earlier.registrationId !== device.registrationId) refuse('registration id');
    if (!sameBytes(earlier.authKey, device.authKey)) refuse('auth key');
  }
  return list;
}
