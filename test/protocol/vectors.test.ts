import { createPrivateKey, sign as ed25519 } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  decodeSignedDeviceList,
  deviceListHash,
  encodeSignedDeviceList,
  firstPrev,
  frameHash,
  paddedLength,
  paddingField,
  parseAccountId,
  parseDeviceId,
  parseHandle,
  readClaims,
  requestHash,
  signaturePurposes,
  signedBytes,
  signToken,
  verifyDeviceList,
  verifySuccessor,
  type SignaturePurpose,
  type TokenClaims,
} from '@waxwing/protocol';
import { codecs } from './codecs.ts';
import { verifyIdentity } from './identity.ts';
import { fromPlain, plain } from './plain.ts';

// Bytes that were written once and must be read and written the same for as long as version 1 is spoken.

const folder = new URL('../vectors/v1/', import.meta.url);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const unhex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));

/** The file as what the generator wrote: the vectors are ours and checked in. */
function load(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'));
}

type CodecVectors = { codec: string; vectors: { value: unknown; bytes: string }[] };
const codecFiles = [
  'up-batch',
  'up-batch-json',
  'down-batch',
  'down-batch-json',
  'submit-body',
  'envelope',
  'frame',
  'content',
  'heads',
  'receipt',
  'repair-request',
  'repair-answer',
  'device-list',
];

describe.each(codecFiles)('the vectors of %s', (name) => {
  const { codec: codecName, vectors } = load(name) as CodecVectors;
  const codec = codecs.find((one) => one.name === codecName)!;

  it.each(vectors)('decode to their value and encode to their bytes: $#', ({ value, bytes }) => {
    expect(plain(codec.decode(unhex(bytes)))).toEqual(value);
    expect(hex(codec.encodePlain(fromPlain(value)))).toBe(bytes);
    expect(hex(codec.again(unhex(bytes)))).toBe(bytes);
  });
});

describe('the vectors of hashes and padding', () => {
  const vectors = load('hashes') as {
    firstPrev: { handle: string; sender: { account: string; device: number }; prev: string }[];
    frameHash: { frame: string; hash: string }[];
    signedBytes: { purpose: SignaturePurpose; bytes: string; signed: string }[];
    paddedLength: { length: number; padded: number }[];
    paddingField: { length: number; field: string }[];
  };

  it('hold', () => {
    for (const { handle, sender, prev } of vectors.firstPrev) {
      const address = { account: parseAccountId(sender.account), device: parseDeviceId(sender.device) };
      expect(hex(firstPrev(parseHandle(handle), address))).toBe(prev);
    }
    for (const { frame, hash } of vectors.frameHash) expect(hex(frameHash(unhex(frame)))).toBe(hash);
    expect(vectors.signedBytes.map(({ purpose }) => purpose)).toEqual(signaturePurposes);
    for (const { purpose, bytes, signed } of vectors.signedBytes) {
      expect(hex(signedBytes(purpose, unhex(bytes)))).toBe(signed);
    }
    for (const { length, padded } of vectors.paddedLength) expect(paddedLength(length)).toBe(padded);
    for (const { length, field } of vectors.paddingField) expect(hex(paddingField(length))).toBe(field);
  });
});

describe('the vectors of a device list’s chain', () => {
  const { account, lists } = load('device-list-chain') as {
    account: string;
    lists: { signed: string; hash: string }[];
  };
  const chain = lists.map(({ signed }) => decodeSignedDeviceList(unhex(signed)));

  it('verify from the first list on, and each after the one before', () => {
    expect(verifyDeviceList(chain[0]!, parseAccountId(account), verifyIdentity).version).toBe(1);
    for (const [index, next] of chain.slice(1).entries()) {
      expect(verifySuccessor(chain[index]!, next, verifyIdentity).version).toBe(index + 2);
    }
    expect(chain.map((signed) => signed.previousSignature !== undefined)).toEqual([false, false, true, false]);
  });

  it('keep their bytes and hashes', () => {
    expect(chain.map((signed) => hex(deviceListHash(signed)))).toEqual(lists.map(({ hash }) => hash));
    expect(chain.map((signed) => hex(encodeSignedDeviceList(signed)))).toEqual(lists.map(({ signed }) => signed));
  });

  it('do not verify out of their order', () => {
    for (const [i, previous] of chain.entries()) {
      for (const [j, next] of chain.entries()) {
        if (j !== i + 1) expect(() => verifySuccessor(previous, next, verifyIdentity)).toThrow(/^bad_device_list/);
      }
    }
  });
});

describe('the vectors of tokens', () => {
  const { authKeySeed, requests, tokens } = load('token') as {
    authKeySeed: string;
    requests: { method: string; pathAndQuery: string; body: string; req: string }[];
    tokens: { claims: TokenClaims; token: string }[];
  };
  const pkcs8 = Buffer.from(`302e020100300506032b657004220420${authKeySeed}`, 'hex');
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });

  it.each(tokens)('are signed to their text and read to their claims: $claims.aud', ({ claims, token }) => {
    expect(signToken(claims, (message) => ed25519(null, message, key))).toBe(token);
    expect(readClaims(token)).toEqual(claims);
  });

  it('bind requests by their hash', () => {
    for (const { method, pathAndQuery, body, req } of requests) {
      expect(requestHash(method, pathAndQuery, unhex(body))).toBe(req);
    }
  });
});

describe('every file of vectors', () => {
  it('is run', () => {
    const run = [...codecFiles, 'hashes', 'device-list-chain', 'token'].map((name) => `${name}.json`);
    expect(readdirSync(folder).sort()).toEqual(run.sort());
  });
});
