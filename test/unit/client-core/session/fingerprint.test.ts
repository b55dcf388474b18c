import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { parseAccountId, uuidToBytes } from '@waxwing/protocol';
import { describe, expect, test } from 'vitest';
import type { PublicIdentity } from '../../../../client-core/src/session/crypto.ts';
import { crypto } from './party.ts';

const identity = (digit: number): PublicIdentity => ({
  account: parseAccountId(`${String(digit).repeat(8)}-0000-4000-8000-000000000000`),
  identityKey: crypto.createIdentity().publicKey,
});
const [alice, bob] = [identity(1), identity(2)];
const mine = crypto.fingerprint(alice, bob);
const his = crypto.fingerprint(bob, alice);

describe('a fingerprint', () => {
  test('has the same digits on both sides, and bytes that the other side knows', () => {
    expect(mine.digits).toMatch(/^\d{60}$/);
    expect(his.digits).toBe(mine.digits);
    expect(crypto.isOtherSide(mine.scannable, his.scannable)).toBe(true);
    expect(crypto.isOtherSide(his.scannable, mine.scannable)).toBe(true);
    expect(crypto.isOtherSide(mine.scannable, mine.scannable)).toBe(false);
  });

  test.each<[string, PublicIdentity, PublicIdentity]>([
    ['own account', identity(3), bob],
    ['own key', { ...alice, identityKey: identity(4).identityKey }, bob],
    ['own id', { ...alice, account: identity(5).account }, bob],
    ["peer's key", alice, { ...bob, identityKey: identity(6).identityKey }],
    ["peer's id", alice, { ...bob, account: identity(7).account }],
  ])('is another with another %s', (_what, own, peer) => {
    const other = crypto.fingerprint(own, peer);
    expect(other.digits).not.toBe(mine.digits);
    expect(crypto.isOtherSide(other.scannable, his.scannable)).toBe(false);
    expect(crypto.isOtherSide(mine.scannable, crypto.fingerprint(peer, own).scannable)).toBe(false);
  });

  test("is Signal's numeric fingerprint: 5,200 times SHA-512 over id and key of each side, the halves sorted", () => {
    const half = ({ account, identityKey }: PublicIdentity): string => {
      const sha512 = (...parts: Uint8Array[]) => createHash('sha512').update(Buffer.concat(parts)).digest();
      let hash = sha512(Uint8Array.of(0, 0), identityKey, uuidToBytes(account), identityKey);
      for (let round = 1; round < 5_200; round += 1) hash = sha512(hash, identityKey);
      const groups = [0, 5, 10, 15, 20, 25].map((at) => hash.readUIntBE(at, 5) % 100_000);
      return groups.map((group) => String(group).padStart(5, '0')).join('');
    };
    expect(mine.digits).toBe([half(alice), half(bob)].sort().join(''));
    // The version stands in front of what is scanned.
    expect([...mine.scannable.subarray(0, 2)]).toEqual([0x08, 2]);
  });

  test("knows no bytes but the other side's, whatever they are, and throws at none", () => {
    const spoilt = fc
      .tuple(fc.nat(his.scannable.length - 1), fc.integer({ min: 1, max: 255 }))
      .map(([at, bits]) => his.scannable.map((byte, index) => (index === at ? byte ^ bits : byte)));
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      spoilt,
      fc.nat(his.scannable.length - 1).map((length) => his.scannable.subarray(0, length)),
      fc.uint8Array({ minLength: 1, maxLength: 40 }).map((more) => Uint8Array.from([...his.scannable, ...more])),
    );
    fc.assert(
      fc.property(bytes, (shown) => {
        // Bytes behind its own that protobuf ignores change nothing of what is shown.
        const isSame = crypto.isOtherSide(mine.scannable, shown);
        expect(isSame && Buffer.compare(shown.subarray(0, his.scannable.length), his.scannable) !== 0).toBe(false);
      }),
      { numRuns: 500 },
    );
    expect(crypto.isOtherSide(mine.scannable, new Uint8Array(1_000_000))).toBe(false);
  });
});
