import { createHash, createPublicKey, hkdfSync, verify } from 'node:crypto';
import { usernames } from '@signalapp/libsignal-client';
import { isPublicKey } from '@waxwing/protocol';
import { describe, expect, test } from 'vitest';
import { createLibsignalCrypto } from '../../../../client-core/src/session/libsignal-crypto.ts';
import { NOW, Party, crypto } from './party.ts';

const text = (value: string) => Buffer.from(value);

describe('an identity', () => {
  test('has a public key in the form of device lists', () => {
    for (let i = 0; i < 32; i++) expect(isPublicKey(crypto.createIdentity().publicKey)).toBe(true);
  });

  test('signs what its public key alone verifies', () => {
    const { keyPair, publicKey } = crypto.createIdentity();
    const signature = crypto.signIdentity(keyPair, text('message'));
    expect(signature).toHaveLength(64);
    expect(crypto.verifyIdentity(publicKey, text('message'), signature)).toBe(true);
    expect(crypto.verifyIdentity(publicKey, text('massage'), signature)).toBe(false);
    expect(crypto.verifyIdentity(crypto.createIdentity().publicKey, text('message'), signature)).toBe(false);
    expect(crypto.verifyIdentity(publicKey, text('message'), signature.slice(1))).toBe(false);
    expect(crypto.verifyIdentity(new Uint8Array(33), text('message'), signature)).toBe(false);
    expect(crypto.verifyIdentity(new Uint8Array(), text('message'), signature)).toBe(false);
  });

  test('agrees with another on the same 32 bytes, and with itself', () => {
    const [a, b] = [crypto.createIdentity(), crypto.createIdentity()];
    const shared = crypto.agree(a.keyPair, b.publicKey);
    expect(shared).toHaveLength(32);
    expect(crypto.agree(b.keyPair, a.publicKey)).toEqual(shared);
    expect(crypto.agree(a.keyPair, a.publicKey)).toHaveLength(32);
    expect(crypto.agree(a.keyPair, crypto.createIdentity().publicKey)).not.toEqual(shared);
  });

  const point = (hex: string) => Buffer.from(`05${hex}`, 'hex');
  const filled = (first: string, last: string) => point(first + 'ff'.repeat(30) + last);
  test.each([
    ['0', point('00'.repeat(32))],
    ['1', point(`01${'00'.repeat(31)}`)],
    ['a point of order 8', point('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800')],
    ['the other point of order 8', point('5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157')],
    ['p - 1', filled('ec', '7f')],
    ['p, another form of 0', filled('ed', '7f')],
    ['p + 9, another form of the base point', filled('f6', '7f')],
    ['2^255 - 1', filled('ff', '7f')],
  ])('does not agree with %s', (_, publicKey) => {
    expect(crypto.agree(crypto.createIdentity().keyPair, publicKey)).toBeUndefined();
  });

  test('does not agree with a key whose top bit is set, another type, or a length that is none', () => {
    const { keyPair, publicKey } = crypto.createIdentity();
    const topBit = Uint8Array.from(publicKey);
    topBit[32]! |= 0x80;
    const otherType = Uint8Array.from(publicKey);
    otherType[0] = 4;
    for (const key of [topBit, otherType, publicKey.slice(1), new Uint8Array()]) {
      expect(crypto.agree(keyPair, key)).toBeUndefined();
    }
  });
});

describe('a device', () => {
  test('has a registration id from 1 to 0x3FFF, drawn from the given bytes', () => {
    for (let i = 0; i < 200; i++) {
      const id = crypto.createRegistrationId();
      expect(id).toBeGreaterThanOrEqual(1);
      expect(id).toBeLessThanOrEqual(0x3fff);
    }
    const drawn = [Uint8Array.of(0xc0, 0), Uint8Array.of(0xff, 0xff)];
    expect(createLibsignalCrypto(() => drawn.shift()!).createRegistrationId()).toBe(0x3fff);
  });

  test('signs tokens as Ed25519 that node verifies', () => {
    const { publicKey, secretKey } = crypto.createAuthKeys();
    const signature = crypto.signToken(secretKey, text('message'));
    const key = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') },
      format: 'jwk',
    });
    expect(verify(null, text('message'), key, signature)).toBe(true);
    expect(verify(null, text('massage'), key, signature)).toBe(false);
    expect(crypto.createAuthKeys().publicKey).not.toEqual(publicKey);
  });

  test('derives by HKDF-SHA256 without salt', () => {
    const [secret, info] = [text('secret'), text('info')];
    expect(Buffer.from(crypto.derive(secret, info, 48))).toEqual(
      Buffer.from(hkdfSync('sha256', secret, new Uint8Array(), info, 48)),
    );
  });
});

describe('prekeys', () => {
  test('come in both kinds under ids from the first up, signed by the identity, each with one entry', () => {
    const { local, peer } = new Party('alice', 0);
    const { changes, upload } = crypto.createOneTimeKeys(local, 100, 3, NOW);
    expect(upload.oneTimeKeys.map((key) => key.id)).toEqual([100, 101, 102]);
    expect(upload.oneTimeKyberKeys.map((key) => key.id)).toEqual([100, 101, 102]);
    expect(changes.map(({ kind, key }) => `${kind}/${key}`).sort()).toEqual(
      [100, 101, 102].flatMap((id) => [`kyber_prekey/${id}`, `prekey/${id}`]).sort(),
    );
    const repeated = crypto.createRepeatedKeys(local, 7, NOW);
    expect(repeated.changes.map(({ kind, key }) => `${kind}/${key}`)).toEqual(['signed_prekey/7', 'kyber_prekey/7']);
    for (const key of [...upload.oneTimeKyberKeys, repeated.upload.signedPrekey, repeated.upload.lastResortKyber]) {
      const [publicKey, signature] = [Buffer.from(key.publicKey, 'base64url'), Buffer.from(key.signature, 'base64url')];
      expect(crypto.verifyIdentity(peer.identityKey, publicKey, signature)).toBe(true);
    }
    for (const key of [...upload.oneTimeKeys, repeated.upload.signedPrekey]) {
      expect(isPublicKey(Buffer.from(key.publicKey, 'base64url'))).toBe(true);
    }
  });
});

describe('a username', () => {
  const hashOf = (username: string) => Buffer.from(crypto.usernameProof(username)!.hash, 'base64url');

  test('has the hash of libsignal and a proof that verifies for it alone', () => {
    const { hash, proof } = crypto.usernameProof('alice.42')!;
    expect(hashOf('alice.42')).toEqual(Buffer.from(usernames.hash('alice.42')));
    const [proofBytes, hashBytes] = [proof, hash].map((value) => Uint8Array.from(Buffer.from(value, 'base64url')));
    expect(proofBytes).toHaveLength(128);
    expect(() => usernames.verifyProof(proofBytes!, hashBytes!)).not.toThrow();
    expect(() => usernames.verifyProof(proofBytes!, usernames.hash('bob.42'))).toThrow();
  });

  test('without a discriminator means .01, in any case', () => {
    expect(hashOf('alice')).toEqual(hashOf('alice.01'));
    expect(hashOf('ALICE')).toEqual(hashOf('alice'));
    expect(hashOf('alice.02')).not.toEqual(hashOf('alice'));
  });

  test('of 3 to 32 letters is taken', () => {
    for (const name of ['bob', 'a'.repeat(32), '_x1']) expect(crypto.usernameProof(name)).toBeDefined();
  });

  test.each([
    '',
    '.',
    'ab',
    'a'.repeat(33),
    '1abc',
    'mü.01',
    'a b',
    'alice.',
    'alice.0',
    'alice.1',
    'alice.001',
    'a.b.01',
    'alice.01.02',
    'x'.repeat(100_000),
  ])('cannot be %j', (name) => {
    expect(crypto.usernameProof(name)).toBeUndefined();
  });
});

test('keys of no two calls are the same', () => {
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
  const seen = new Set<string>();
  for (let i = 0; i < 20; i++) seen.add(digest(crypto.createIdentity().publicKey));
  expect(seen.size).toBe(20);
});
