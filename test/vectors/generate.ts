import { createPrivateKey, sign as ed25519 } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { PrivateKey } from '@signalapp/libsignal-client';
import {
  audience,
  deviceListHash,
  encodeSignedDeviceList,
  firstPrev,
  frameHash,
  handleFromBytes,
  paddedLength,
  paddingField,
  parseAccountId,
  parseDeviceId,
  requestHash,
  signaturePurposes,
  signDeviceList,
  signedBytes,
  signToken,
  type DeviceList,
  type ListedDevice,
  type TokenClaims,
} from '@waxwing/protocol';
import {
  content,
  deviceList,
  downs,
  envelope,
  frame,
  heads,
  receipt,
  repairAnswer,
  repairRequest,
  submitBody,
  ups,
} from '../protocol/arbitraries.ts';
import { codecs } from '../protocol/codecs.ts';
import { plain } from '../protocol/plain.ts';

// Writes the vectors of a protocol version, once: a file that is there is never written again. Values are drawn with a
// fixed seed, keys are fixed. Run: node --conditions=waxwing-source --import tsx test/vectors/generate.ts

const folder = new URL('v1/', import.meta.url);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function freeze(name: string, value: unknown): void {
  const file = new URL(`${name}.json`, folder);
  if (existsSync(file)) {
    console.log(`kept    ${name}`);
    return;
  }
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
  console.log(`written ${name}`);
}

function vectorsOf(codecName: string, values: readonly unknown[]) {
  const codec = codecs.find(({ name }) => name === codecName);
  if (!codec) throw new Error(codecName);
  return {
    codec: codecName,
    vectors: values.map((value) => ({ value: plain(value), bytes: hex(codec.encodePlain(value)) })),
  };
}

const draw = <T>(values: fc.Arbitrary<T>, numRuns: number): T[] => fc.sample(values, { numRuns, seed: 1 });
const upBatches = Object.values<fc.Arbitrary<unknown>>(ups).flatMap((one) => draw(one, 3).map((message) => [message]));
const downBatches = Object.values<fc.Arbitrary<unknown>>(downs).flatMap((one) =>
  draw(one, 3).map((message) => [message]),
);
freeze('up-batch', vectorsOf('up batch', [...upBatches, upBatches.flat()]));
freeze('up-batch-json', vectorsOf('up batch as JSON', [...upBatches, upBatches.flat()]));
freeze('down-batch', vectorsOf('down batch', [...downBatches, downBatches.flat()]));
freeze('down-batch-json', vectorsOf('down batch as JSON', [...downBatches, downBatches.flat()]));
freeze('submit-body', vectorsOf('submit body', draw(submitBody, 12)));
freeze('envelope', vectorsOf('envelope', draw(envelope, 12)));
freeze('frame', vectorsOf('frame', draw(frame, 16)));
freeze('content', vectorsOf('content', draw(content, 8)));
freeze('heads', vectorsOf('heads', draw(heads, 8)));
freeze('receipt', vectorsOf('receipt', draw(receipt, 8)));
freeze('repair-request', vectorsOf('repair request', draw(repairRequest, 8)));
freeze('repair-answer', vectorsOf('repair answer', draw(repairAnswer, 8)));
freeze('device-list', vectorsOf('device list', draw(deviceList, 8)));

const account = parseAccountId('7d9a2c1e-51b4-4c86-9f0e-3a5b7c9d1e2f');
const sender = { account, device: parseDeviceId(3) };
const handle = handleFromBytes(Uint8Array.from({ length: 32 }, (_, index) => index));

freeze('hashes', {
  firstPrev: [{ handle, sender, prev: hex(firstPrev(handle, sender)) }],
  frameHash: [{ frame: hex(Buffer.from('waxwing')), hash: hex(frameHash(Buffer.from('waxwing'))) }],
  signedBytes: signaturePurposes.map((purpose) => ({
    purpose,
    bytes: '0102',
    signed: hex(signedBytes(purpose, Uint8Array.of(1, 2))),
  })),
  paddedLength: [1, 160, 161, 960, 961, 1_024, 1_025, 1_218, 1_219, 2_048, 65_536, 65_537].map((length) => ({
    length,
    padded: paddedLength(length),
  })),
  paddingField: [0, 26, 27, 156].map((length) => ({ length, field: hex(paddingField(length)) })),
});

// A list, a second device, its removal with a new identity key, and the id of the removed device used again.
const identities = [1, 2].map((fill) => PrivateKey.deserialize(new Uint8Array(32).fill(fill)));
const [old, renewed] = identities;
if (!old || !renewed) throw new Error('identities');
const signBy = (key: PrivateKey) => (message: Uint8Array) => key.sign(Uint8Array.from(message));
const listed = (device: number, addedIn: number, fill: number): ListedDevice => ({
  device: parseDeviceId(device),
  registrationId: 1_000 + fill,
  authKey: new Uint8Array(32).fill(fill),
  addedIn,
  encryptedName: Buffer.from(`name ${fill}`),
});
const base: DeviceList = {
  account,
  version: 1,
  previousHash: new Uint8Array(),
  identityKey: old.getPublicKey().serialize(),
  identityGeneration: 1,
  devices: [listed(1, 1, 1)],
  createdAtMs: 1_800_000_000_000,
};
const first = signDeviceList(base, signBy(old));
const second = signDeviceList(
  { ...base, version: 2, previousHash: deviceListHash(first), devices: [listed(1, 1, 1), listed(2, 2, 2)] },
  signBy(old),
);
const renewedParts = { identityKey: renewed.getPublicKey().serialize(), identityGeneration: 2 };
const third = signDeviceList(
  { ...base, ...renewedParts, version: 3, previousHash: deviceListHash(second) },
  signBy(renewed),
  signBy(old),
);
const fourth = signDeviceList(
  {
    ...base,
    ...renewedParts,
    version: 4,
    previousHash: deviceListHash(third),
    devices: [listed(1, 1, 1), listed(2, 4, 3)],
  },
  signBy(renewed),
);
freeze('device-list-chain', {
  account,
  lists: [first, second, third, fourth].map((signed) => ({
    signed: hex(encodeSignedDeviceList(signed)),
    hash: hex(deviceListHash(signed)),
  })),
});

const seed = new Uint8Array(32).fill(9);
const authKey = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
  format: 'der',
  type: 'pkcs8',
});
const body = Buffer.from('{"accounts":[]}');
const req = requestHash('POST', '/v1/bundles?x=1', body);
const iss = `${account}.3`;
const times = { iat: 1_800_000_000, exp: 1_800_000_060 };
const claims: readonly TokenClaims[] = [
  { iss, aud: audience('relay', 'wss://chat.example'), ...times, nonce: Buffer.from(seed).toString('base64url') },
  { iss, aud: audience('keys', 'https://chat.example:8443/v1'), ...times, req, gen: ['AAAAAAAAAAAAAAAAAAAAAA'] },
];
freeze('token', {
  authKeySeed: hex(seed),
  requests: [{ method: 'POST', pathAndQuery: '/v1/bundles?x=1', body: hex(body), req }],
  tokens: claims.map((one) => ({
    claims: one,
    token: signToken(one, (message) => ed25519(null, message, authKey)),
  })),
});
