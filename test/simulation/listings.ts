import { PublicKey } from '@signalapp/libsignal-client';
import {
  decodeSignedDeviceList,
  decodeSubmitBody,
  readDeviceList,
  sameBytes,
  sha256,
  type AccountId,
  type DeviceAddress,
  type DeviceBundleJson,
  type DeviceList,
  type SignedDeviceList,
  type Up,
} from '@waxwing/protocol';
import type { Attempt } from '../../client-core/src/history/outbox.ts';
import type { KeptList } from '../../client-core/src/history/device-lists.ts';
import type { Peer } from '../../client-core/src/session/crypto.ts';
import type { SimulatedDevice } from './device.ts';

/**
 * The device lists that each account made itself. No device takes another for one of them, goes back to an earlier one,
 * or makes a ciphertext for any devices or keys but those of the newest that it has.
 */
export type Listings = {
  readonly violations: string[];
  /** An account made a list: encoded as it travels. */
  made(signed: Uint8Array): void;
  /** A device's client calls a method of its store. */
  asked(device: SimulatedDevice, noun: string, method: string, args: readonly unknown[]): void;
  sessionStarted(device: SimulatedDevice, peer: Peer, bundle: DeviceBundleJson): void;
  encrypted(device: SimulatedDevice, peer: Peer, ciphertext: Uint8Array): void;
  /** A message leaves a device. */
  left(device: SimulatedDevice, message: Up): void;
};

type Made = { readonly signed: SignedDeviceList; readonly list: DeviceList };
/** Whom a ciphertext was made for, and which versions of the list could be the newest by then. */
type MadeFor = { readonly peer: Peer; readonly versions: ReadonlySet<number> };

export function createListings(elapsedMs: () => number): Listings {
  const violations: string[] = [];
  const lists = new Map<AccountId, Made[]>();
  /** By device and account: the version that was replaced last, and when. A call begun at that moment may name it yet. */
  const replaced = new Map<string, { readonly version: number; readonly atMs: number }>();
  const framed = new Set<string>();
  const ciphertexts = new Map<string, MadeFor>();

  const find = (account: AccountId, version: number): Made | undefined =>
    lists.get(account)?.find(({ list }) => list.version === version);

  /** Which versions of an account's list are the newest that a device has at this moment. */
  function newest({ name, store }: SimulatedDevice, account: AccountId): Set<number> {
    const before = replaced.get(`${name} ${account}`);
    const version = store?.lists.get(account)?.list.version;
    return new Set([
      ...(version === undefined ? [] : [version]),
      ...(before?.atMs === elapsedMs() ? [before.version] : []),
    ]);
  }

  function took(device: SimulatedDevice, { signed, list }: KeptList): void {
    const { account, version } = list;
    const own = find(account, version);
    if (!own || !sameBytes(own.signed.bytes, signed.bytes)) {
      violations.push(`${device.name} took a list ${version} of ${account}, which the account never made`);
    }
    const before = device.store?.lists.get(account)?.list.version;
    if (before === undefined) return;
    if (version < before) violations.push(`${device.name} went back to an earlier list of ${account}`);
    replaced.set(`${device.name} ${account}`, { version: before, atMs: elapsedMs() });
  }

  function check(device: SimulatedDevice, body: Uint8Array, isSequenced: boolean): void {
    const wrong = (what: string): void => void violations.push(`${device.name} made a ciphertext for ${what}`);
    for (const { account, listVersion, devices } of decodeSubmitBody(body).recipients) {
      const found = find(account, listVersion);
      if (!found) {
        wrong(`a list ${listVersion} that ${account} never made`);
        continue;
      }
      const { list } = found;
      const made = devices.map(({ ciphertext }) => ciphertext && ciphertexts.get(hashOf(ciphertext)));
      const versions = new Set([...newest(device, account), ...made.flatMap((one) => [...(one?.versions ?? [])])]);
      if (!versions.has(listVersion)) wrong(`list ${listVersion} of ${account}, which was not its newest`);
      const others = list.devices.filter((one) => account !== device.account || one.device !== 1);
      for (const [index, { device: id, registrationId }] of devices.entries()) {
        const listed = others.find((one) => one.device === id);
        const peer = made[index]?.peer;
        if (!listed) wrong(`the unlisted ${account}.${id}`);
        else if (listed.registrationId !== registrationId) wrong(`another registration of ${account}.${id}`);
        if (!peer || !isAt(peer.address, account, id)) wrong(`another than ${account}.${id}, whose it is said to be`);
        else if (!sameBytes(peer.identityKey, list.identityKey)) wrong(`an identity key that ${account} never listed`);
      }
      const lacks = others.filter((one) => !devices.some((other) => other.device === one.device));
      if (isSequenced && lacks.length > 0) wrong(`${account} without its device ${lacks[0]?.device}`);
    }
  }

  return {
    violations,
    made(encoded) {
      const signed = decodeSignedDeviceList(encoded);
      const list = readDeviceList(signed);
      lists.set(list.account, [...(lists.get(list.account) ?? []), { signed, list }]);
    },
    asked(device, noun, method, args) {
      if (noun === 'lists' && method === 'put') took(device, args[0] as KeptList);
      if (noun !== 'outbox' || (method !== 'frame' && method !== 'addAttempt')) return;
      const { body } = args.at(-1) as Attempt;
      framed.add(`${device.name} ${hashOf(body)}`);
      check(device, body, true);
    },
    sessionStarted({ name }, { address, identityKey }, { signedPrekey, kyberKey }) {
      const isKnown = (lists.get(address.account) ?? []).some(({ list }) => sameBytes(list.identityKey, identityKey));
      const key = PublicKey.deserialize(Uint8Array.from(identityKey));
      const isSigned = [signedPrekey, kyberKey].every(({ publicKey, signature }) =>
        key.verify(bytesOf(publicKey), bytesOf(signature)),
      );
      if (!isKnown) violations.push(`${name} took an identity key that ${address.account} never listed`);
      if (!isSigned) violations.push(`${name} took keys that ${address.account} never signed`);
    },
    encrypted(device, peer, ciphertext) {
      ciphertexts.set(hashOf(ciphertext), { peer, versions: newest(device, peer.address.account) });
    },
    left(device, message) {
      if (message.type === 'direct_submit') check(device, message.body, false);
      // Its bytes were checked when they were made: they go out again as they are, whatever is listed by then.
      if (message.type === 'submit' && !framed.has(`${device.name} ${hashOf(message.body)}`)) {
        violations.push(`${device.name} submitted what it never kept`);
      }
    },
  };
}

function isAt(address: DeviceAddress, account: AccountId, device: number): boolean {
  return address.account === account && address.device === device;
}

function hashOf(bytes: Uint8Array): string {
  return Buffer.from(sha256(bytes)).toString('base64');
}

function bytesOf(base64url: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(base64url, 'base64url'));
}
