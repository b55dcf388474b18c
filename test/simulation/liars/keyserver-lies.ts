import {
  decodeSignedDeviceList,
  encodeSignedDeviceList,
  parseDeviceId,
  readDeviceList,
  signDeviceList,
  type AccountBundlesJson,
  type BundlesJson,
  type DeviceBundleJson,
  type DeviceListJson,
} from '@waxwing/protocol';
import type { HttpResponse } from '@waxwing/client-core';
import { createLibsignalCrypto } from '../../../client-core/src/session/libsignal-crypto.ts';
import { origin } from '../server.ts';
import type { Lie, LieParts } from './liar.ts';

/** A lie about an account's devices and their keys, wherever the server names them. */
function telling(
  tell: (bundles: AccountBundlesJson, device: string, all: readonly AccountBundlesJson[]) => AccountBundlesJson[],
): Lie {
  return {
    http(device, request, answer) {
      const path = request.url.slice(origin.length);
      if (answer.status !== 200) return answer;
      if (path === '/v1/bundles') {
        const { bundles } = read(answer) as BundlesJson;
        return write(answer, { bundles: bundles.flatMap((one) => tell(one, device, bundles)) });
      }
      const account = /^\/v1\/accounts\/([^/]+)\/device-list$/.exec(path)?.[1];
      if (account === undefined) return answer;
      const { deviceList } = read(answer) as DeviceListJson;
      const [told] = tell({ account, deviceList, devices: [] }, device, []);
      return told ? write(answer, { deviceList: told.deviceList }) : { ...answer, status: 404 };
    },
  };
}

function read({ body }: HttpResponse): unknown {
  return JSON.parse(Buffer.from(body).toString());
}

function write(answer: HttpResponse, value: object): HttpResponse {
  return { ...answer, body: Buffer.from(JSON.stringify(value)) };
}

const list = (text: string) => decodeSignedDeviceList(Buffer.from(text, 'base64url'));
const text = (signed: ReturnType<typeof list>): string =>
  Buffer.from(encodeSignedDeviceList(signed)).toString('base64url');

/** Somebody with an identity of its own who wants to be taken for a device. */
function impostor({ random }: LieParts) {
  const crypto = createLibsignalCrypto(random.bytes);
  const identity = crypto.createIdentity();
  const sign = (message: Uint8Array): Uint8Array => crypto.signIdentity(identity.keyPair, message);
  const registrationId = crypto.createRegistrationId();
  return {
    sign,
    publicKey: identity.publicKey,
    registrationId,
    authKey: crypto.createAuthKeys().publicKey,
    bundle(account: string, device: number): DeviceBundleJson {
      const local = {
        address: { account: account as never, device: parseDeviceId(device) },
        registrationId,
        identityKeyPair: identity.keyPair,
      };
      const { signedPrekey, lastResortKyber } = crypto.createRepeatedKeys(local, 1, 0).upload;
      return { device, registrationId, signedPrekey, kyberKey: lastResortKyber };
    },
  };
}

/** A device that is on no list of its account. */
const UNLISTED = 7;

/** Ways in which a keyserver may lie to those who ask, each over the life of a world. */
export const keyserverLies = {
  /** An earlier device list is given for the newest. */
  'old list'({ dares, random }) {
    const known = new Map<string, string[]>();
    return telling((bundles) => {
      const lists = known.get(bundles.account) ?? [];
      known.set(bundles.account, lists.includes(bundles.deviceList) ? lists : [...lists, bundles.deviceList]);
      const older = lists.filter((one) => one !== bundles.deviceList);
      return older.length > 0 && dares() ? [{ ...bundles, deviceList: random.pick(older) }] : [bundles];
    });
  },

  /** A device is added: to the list as it is signed, or to one that is signed by somebody else, or gets a bundle alone. */
  'added device'(parts) {
    const { dares, random } = parts;
    // Whoever was told the truth once; nothing can tell the first identity that is ever heard of from a true one.
    const knows = new Set<string>();
    return telling((bundles, device) => {
      const asked = `${device} ${bundles.account}`;
      if (!dares()) {
        knows.add(asked);
        return [bundles];
      }
      const mallory = impostor(parts);
      const devices = [...bundles.devices, mallory.bundle(bundles.account, UNLISTED)];
      const signed = list(bundles.deviceList);
      const before = readDeviceList(signed);
      const added = {
        device: parseDeviceId(UNLISTED),
        registrationId: mallory.registrationId,
        authKey: mallory.authKey,
        addedIn: before.version + 1,
        encryptedName: new Uint8Array(0),
      };
      const longer = { ...before, version: before.version + 1, devices: [...before.devices, added] };
      const forged = signDeviceList(longer, mallory.sign);
      const selfMade = signDeviceList({ ...longer, identityKey: mallory.publicKey }, mallory.sign);
      const told = random.pick([
        signed,
        forged,
        { ...forged, signature: signed.signature },
        ...(knows.has(asked) ? [selfMade, selfMade] : []),
      ]);
      return [{ ...bundles, deviceList: text(told), devices }];
    });
  },

  /** Bundles are another's, or forged, or changed. */
  'wrong bundle'(parts) {
    const { dares, random } = parts;
    return telling((bundles, _device, all) => {
      if (bundles.devices.length === 0 || !dares()) return [bundles];
      const others = all.filter(({ account }) => account !== bundles.account).flatMap(({ devices }) => devices);
      const devices = bundles.devices.map((device) => {
        const mallory = impostor(parts).bundle(bundles.account, device.device);
        const other = random.pick([mallory, ...others]);
        return random.pick([
          { ...mallory, registrationId: device.registrationId },
          mallory,
          { ...other, device: device.device },
          { ...device, signedPrekey: other.signedPrekey },
          { ...device, kyberKey: other.kyberKey },
          { ...device, signedPrekey: { ...device.signedPrekey, publicKey: other.signedPrekey.publicKey } },
          { ...device, signedPrekey: { ...device.signedPrekey, id: device.signedPrekey.id + 1 } },
          { ...device, registrationId: (device.registrationId % 16_000) + 1 },
        ]);
      });
      return [{ ...bundles, devices }];
    });
  },

  /** One-time keys are given again and again. */
  'repeated one-time key'({ dares }) {
    const first = new Map<string, DeviceBundleJson>();
    return telling((bundles) => {
      const devices = bundles.devices.map((device) => {
        const key = `${bundles.account} ${device.device}`;
        const old = first.get(key);
        if (!old) first.set(key, device);
        return old && dares() ? old : device;
      });
      return [{ ...bundles, devices }];
    });
  },

  /** Another account's devices are given, or nobody. */
  'wrong account'({ dares, random }) {
    const seen = new Map<string, AccountBundlesJson>();
    return telling((bundles) => {
      seen.set(bundles.account, bundles);
      if (!dares()) return [bundles];
      const others = [...seen.values()].filter(({ account }) => account !== bundles.account);
      if (others.length === 0 || random.chance(0.3)) return [];
      const other = random.pick(others);
      return [random.pick([other, { ...other, account: bundles.account }])];
    });
  },
} satisfies Record<string, (parts: LieParts) => Lie>;
