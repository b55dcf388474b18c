import { describe, expect, test } from 'vitest';
import { crypto, NOW, Party, acquainted } from './party.ts';

const DAY = 24 * 60 * 60 * 1_000;

describe('a conversation', () => {
  test('reads both ways, the first message sets the session up, and answers need no prekey', async () => {
    const alice = new Party('alice');
    const bob = new Party('bob');
    expect(await alice.start(bob)).toMatchObject({ type: 'started' });
    const first = await alice.send(bob, 'hello');
    expect(first.kind).toBe('prekey');
    expect(await bob.read(alice, first)).toBe('hello');
    const answer = await bob.send(alice, 'hello yourself');
    expect(answer.kind).toBe('session');
    expect(await alice.read(bob, answer)).toBe('hello yourself');
    expect((await alice.send(bob, 'again')).kind).toBe('session');
  });

  test('reads messages out of order, each once', async () => {
    const [alice, bob] = await acquainted();
    const sent = [];
    for (const text of ['a', 'b', 'c', 'd']) sent.push({ text, message: await alice.send(bob, text) });
    for (const { text, message } of sent.toReversed()) expect(await bob.read(alice, message)).toBe(text);
    for (const { message } of sent) expect(await bob.read(alice, message)).toBe('[duplicate]');
  });

  test('converges when both sides start at once', async () => {
    const alice = new Party('alice');
    const bob = new Party('bob');
    await alice.start(bob);
    await bob.start(alice);
    const [fromAlice, fromBob] = [await alice.send(bob, 'from alice'), await bob.send(alice, 'from bob')];
    expect(await bob.read(alice, fromAlice)).toBe('from alice');
    expect(await alice.read(bob, fromBob)).toBe('from bob');
    for (let round = 0; round < 3; round++) {
      expect(await bob.read(alice, await alice.send(bob, `to bob ${round}`))).toBe(`to bob ${round}`);
      expect(await alice.read(bob, await bob.send(alice, `to alice ${round}`))).toBe(`to alice ${round}`);
    }
    expect((await alice.send(bob, 'settled')).kind).toBe('session');
    expect((await bob.send(alice, 'settled')).kind).toBe('session');
  });

  test('carries an empty plaintext and one of the greatest length', async () => {
    const [alice, bob] = await acquainted();
    expect(await bob.read(alice, await alice.send(bob, ''))).toBe('');
    const long = 'x'.repeat(90 * 1_024);
    expect(await bob.read(alice, await alice.send(bob, long))).toBe(long);
  });
});

describe('a session', () => {
  test('that is archived needs a new bundle to send, and still reads what was under way', async () => {
    const [alice, bob] = await acquainted();
    const underWay = await bob.send(alice, 'under way');
    alice.apply(crypto.archiveSession(alice.view, bob.local.address));
    expect(crypto.hasSession(alice.local, alice.view, bob.peer, NOW)).toBe(false);
    expect(await alice.encrypt(bob.peer, 'x')).toEqual({ type: 'no_session' });
    expect(await alice.read(bob, underWay)).toBe('under way');
    alice.apply(crypto.archiveSession(alice.view, bob.local.address));
    await alice.start(bob, bob.bundle(1));
    expect(crypto.hasSession(alice.local, alice.view, bob.peer, NOW)).toBe(true);
    expect(await bob.read(alice, await alice.send(bob, 'anew'))).toBe('anew');
    expect(await alice.read(bob, await bob.send(alice, 'answer'))).toBe('answer');
  });

  test('started over another still reads messages of the earlier one', async () => {
    const [alice, bob] = await acquainted();
    const underWay = await bob.send(alice, 'under way');
    await alice.start(bob, bob.bundle(1));
    expect(await bob.read(alice, await alice.send(bob, 'new session'))).toBe('new session');
    expect(await alice.read(bob, underWay)).toBe('under way');
  });

  test('that is not there can neither send nor be archived', async () => {
    const alice = new Party('alice');
    const bob = new Party('bob');
    expect(crypto.hasSession(alice.local, alice.view, bob.peer, NOW)).toBe(false);
    expect(await alice.encrypt(bob.peer, 'x')).toEqual({ type: 'no_session' });
    expect(crypto.archiveSession(alice.view, bob.local.address)).toEqual([]);
  });

  test('that was never answered stops sending after 30 days', async () => {
    const alice = new Party('alice');
    const bob = new Party('bob');
    await alice.start(bob);
    expect(crypto.hasSession(alice.local, alice.view, bob.peer, NOW + 29 * DAY)).toBe(true);
    expect(crypto.hasSession(alice.local, alice.view, bob.peer, NOW + 31 * DAY)).toBe(false);
    expect(await alice.encrypt(bob.peer, 'x', NOW + 31 * DAY)).toEqual({ type: 'no_session' });
  });

  test('with an earlier identity key of the peer does not send', async () => {
    const [alice, bob] = await acquainted();
    const rotated = { ...bob.peer, identityKey: crypto.createIdentity().publicKey };
    expect(await alice.encrypt(rotated, 'x')).toEqual({ type: 'no_session' });
    expect(crypto.hasSession(alice.local, alice.view, rotated, NOW)).toBe(false);
    expect(await alice.encrypt(bob.peer, 'x')).toMatchObject({ type: 'encrypted' });
  });

  test('with an earlier identity key of this device does not send, and still reads', async () => {
    const [alice, bob] = await acquainted();
    const underWay = await bob.send(alice, 'under way');
    const local = { ...alice.local, identityKeyPair: crypto.createIdentity().keyPair };
    expect(crypto.hasSession(local, alice.view, bob.peer, NOW)).toBe(false);
    const { kind, ciphertext } = underWay;
    expect(await crypto.decrypt(local, alice.view, bob.peer, kind, ciphertext)).toMatchObject({ type: 'decrypted' });
  });

  test('with the former key of a peer is read while that is given, and begins, sends and does nothing else', async () => {
    const [alice, bob] = await acquainted();
    const underWay = await bob.send(alice, 'under way');
    const renamed = { address: bob.local.address, identityKey: crypto.createIdentity().publicKey };
    const former = { ...renamed, formerKey: bob.peer.identityKey };
    expect(await alice.decrypt(renamed, underWay)).toEqual({ type: 'failed', reason: 'untrusted_identity' });
    expect(await alice.decrypt(former, underWay)).toMatchObject({ type: 'decrypted' });
    expect(await alice.encrypt(former, 'x')).toEqual({ type: 'no_session' });
    // Whoever has the former key could begin a session in the device's name.
    await bob.start(alice, alice.bundle(3));
    const begun = await bob.send(alice, 'begun');
    expect(begun.kind).toBe('prekey');
    expect(await alice.decrypt(former, begun)).toEqual({ type: 'failed', reason: 'untrusted_identity' });
    expect(await crypto.startSession(alice.local, alice.view, former, bob.bundle(4), NOW)).toMatchObject({
      type: 'refused',
    });
  });
});

describe('a bundle', () => {
  const mallory = new Party('mallory');
  const bob = new Party('bob');
  const alice = new Party('alice');
  const good = bob.bundle();
  const flip = (text: string) => (text.startsWith('A') ? 'B' : 'A') + text.slice(1);
  const nonCanonical = () => {
    const key = Buffer.from(good.signedPrekey.publicKey, 'base64url');
    key[32]! |= 0x80;
    return key.toString('base64url');
  };
  test.each([
    ['of another device', { ...good, device: 2 }],
    ['with a signed prekey by another identity', { ...good, signedPrekey: mallory.bundle().signedPrekey }],
    ['with a Kyber key by another identity', { ...good, kyberKey: mallory.bundle().kyberKey }],
    [
      'with a changed signature',
      { ...good, signedPrekey: { ...good.signedPrekey, signature: flip(good.signedPrekey.signature) } },
    ],
    ['with a Kyber key that is none', { ...good, kyberKey: { ...good.kyberKey, publicKey: 'AAAA' } }],
    ['with a one-time key that is none', { ...good, oneTimeKey: { id: 7, publicKey: 'AAAA' } }],
    [
      'with a one-time key of low order',
      { ...good, oneTimeKey: { id: 7, publicKey: Buffer.from([5, ...Buffer.alloc(32)]).toString('base64url') } },
    ],
    ['with another form of a key', { ...good, oneTimeKey: { id: 7, publicKey: nonCanonical() } }],
    ['with an id beyond 32 bits', { ...good, signedPrekey: { ...good.signedPrekey, id: 2 ** 32 } }],
    ['with an id that is no number', { ...good, kyberKey: { ...good.kyberKey, id: 1.5 } }],
  ])('%s is refused', async (_, bundle) => {
    expect(await alice.start(bob, bundle)).toEqual({ type: 'refused', reason: 'bad_bundle' });
  });

  test('checked against another identity than signed it is refused', async () => {
    const peer = { ...bob.peer, identityKey: mallory.peer.identityKey };
    const started = await crypto.startSession(alice.local, alice.view, peer, good, NOW);
    expect(started).toEqual({ type: 'refused', reason: 'bad_bundle' });
  });

  test('for a peer whose listed key is no public key is refused as untrusted', async () => {
    const peer = { ...bob.peer, identityKey: new Uint8Array(33) };
    const started = await crypto.startSession(alice.local, alice.view, peer, good, NOW);
    expect(started).toEqual({ type: 'refused', reason: 'untrusted_identity' });
  });

  test('without any one-time key sets a session up', async () => {
    const carol = new Party('carol', 0);
    await alice.start(carol);
    expect(await carol.read(alice, await alice.send(carol, 'last resort'))).toBe('last resort');
  });
});
