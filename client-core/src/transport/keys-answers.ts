import {
  limits,
  type AccountBundlesJson,
  type AccountId,
  type BundlesJson,
  type DeviceBundleJson,
  type DeviceListJson,
  type DiscoveryJson,
  type OneTimeKeyJson,
  type PrekeyCountJson,
  type RegisteredJson,
  type SignedKeyJson,
} from '@waxwing/protocol';
import { AnswerFault, type JsonObject } from './json-answer.ts';

// One reader per answer of the keyserver. Each throws AnswerFault for what the contract does not know; nothing here is
// verified that needs a key.

const UINT32_MAX = 0xffff_ffff;
const REGISTRATION_ID_MAX = 0x3fff;

export function readRegistered(json: JsonObject): RegisteredJson {
  return {
    account: json.account('account'),
    device: readDeviceId(json),
    listVersion: json.integer('listVersion', 1, UINT32_MAX),
  };
}

/** Refuses an account that was not asked for, or that comes twice, and a device that comes twice. */
export function readBundles(json: JsonObject, asked: readonly AccountId[]): BundlesJson {
  const bundles = json.objects('bundles', asked.length).map(readAccountBundles);
  const accounts = bundles.map(({ account }) => account);
  const wanted = new Set<string>(asked);
  if (hasRepeat(accounts) || !accounts.every((account) => wanted.has(account))) throw new AnswerFault('bundles');
  return { bundles };
}

export function readDeviceList(json: JsonObject): DeviceListJson {
  return { deviceList: json.bytes('deviceList') };
}

export function readPrekeyCount(json: JsonObject): PrekeyCountJson {
  return {
    oneTimeKeys: json.integer('oneTimeKeys', 0, UINT32_MAX),
    oneTimeKyberKeys: json.integer('oneTimeKyberKeys', 0, UINT32_MAX),
  };
}

export function readDiscovery(json: JsonObject): DiscoveryJson {
  const versions = json.list('versions', 64).map((version) => {
    if (typeof version !== 'number' || !Number.isInteger(version)) throw new AnswerFault('versions');
    return version;
  });
  return { versions, relay: json.url('relay', ['ws:', 'wss:']), keys: json.url('keys', ['http:', 'https:']) };
}

function readAccountBundles(json: JsonObject): AccountBundlesJson {
  const devices = json.objects('devices', limits.devicesPerAccount).map(readDeviceBundle);
  if (hasRepeat(devices.map(({ device }) => device))) throw new AnswerFault('devices');
  return { account: json.account('account'), deviceList: json.bytes('deviceList'), devices };
}

function readDeviceBundle(json: JsonObject): DeviceBundleJson {
  const oneTimeKey = json.optional('oneTimeKey');
  return {
    device: readDeviceId(json),
    registrationId: json.integer('registrationId', 1, REGISTRATION_ID_MAX),
    signedPrekey: readSignedKey(json.object('signedPrekey')),
    kyberKey: readSignedKey(json.object('kyberKey')),
    ...(oneTimeKey && { oneTimeKey: readOneTimeKey(oneTimeKey) }),
  };
}

function readDeviceId(json: JsonObject): number {
  return json.integer('device', 1, limits.devicesPerAccount);
}

function readOneTimeKey(json: JsonObject): OneTimeKeyJson {
  return { id: json.integer('id', 0, UINT32_MAX), publicKey: json.bytes('publicKey') };
}

function readSignedKey(json: JsonObject): SignedKeyJson {
  return { ...readOneTimeKey(json), signature: json.bytes('signature') };
}

function hasRepeat(values: readonly unknown[]): boolean {
  return new Set(values).size !== values.length;
}
