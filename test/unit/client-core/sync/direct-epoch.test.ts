import { randomBytes } from 'node:crypto';
import { parseAccountId, type DeviceList } from '@waxwing/protocol';
import { describe, expect, test } from 'vitest';
import { createLibsignalCrypto } from '../../../../client-core/src/session/libsignal-crypto.ts';
import { directEpoch } from '../../../../client-core/src/sync/direct-epoch.ts';

const crypto = createLibsignalCrypto((length) => randomBytes(length));

function person(id: string, generation = 1, identity = crypto.createIdentity()) {
  const account = parseAccountId(`${id}-0000-4000-8000-000000000001`);
  const list: DeviceList = {
    account,
    version: 1,
    previousHash: new Uint8Array(0),
    identityKey: identity.publicKey,
    identityGeneration: generation,
    devices: [],
    createdAtMs: 0,
  };
  return { account, list, keyPair: identity.keyPair, identity };
}

describe('the epoch of two accounts', () => {
  const alice = person('ffffffff');
  const bob = person('00000001', 3);

  test('is the same from both sides, whichever id sorts first', () => {
    const fromAlice = directEpoch(crypto, alice, bob.list);
    expect(fromAlice).toEqual(directEpoch(crypto, bob, alice.list));
    expect(fromAlice?.number).toBe(4);
  });

  test('with oneself is of one key', () => {
    const notes = directEpoch(crypto, alice, alice.list);
    expect(notes?.number).toBe(2);
    expect(notes?.handle).not.toBe(directEpoch(crypto, alice, bob.list)?.handle);
    expect(directEpoch(crypto, alice, alice.list)).toEqual(notes);
  });

  test('has another handle for every pair, every account id and every identity', () => {
    const carol = person('33333333');
    const renamed = person('44444444', 1, alice.identity);
    const rotated = person('ffffffff', 2);
    const handles = [
      directEpoch(crypto, alice, bob.list),
      directEpoch(crypto, alice, carol.list),
      directEpoch(crypto, bob, carol.list),
      directEpoch(crypto, renamed, bob.list),
      directEpoch(crypto, rotated, bob.list),
    ].map((epoch) => epoch?.handle);
    expect(new Set(handles).size).toBe(5);
    expect(handles).not.toContain(undefined);
  });

  test('grows with each identity', () => {
    const rotated = person('ffffffff', 2);
    const before = directEpoch(crypto, alice, bob.list);
    expect(directEpoch(crypto, rotated, bob.list)?.number).toBe((before?.number ?? 0) + 1);
  });

  test('is undefined for a key that must not be used', () => {
    const topBit = Uint8Array.from(bob.list.identityKey);
    topBit[32] = (topBit[32] ?? 0) | 0x80;
    expect(directEpoch(crypto, alice, { ...bob.list, identityKey: topBit })).toBeUndefined();
    expect(directEpoch(crypto, alice, { ...bob.list, identityKey: new Uint8Array(33) })).toBeUndefined();
  });
});
