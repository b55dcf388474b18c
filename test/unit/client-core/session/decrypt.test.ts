import { describe, expect, test } from 'vitest';
import { crypto, NOW, Party, acquainted, type Sent } from './party.ts';

const snapshot = (party: Party) => new Map(party.entries);

describe('a ciphertext that cannot be read', () => {
  test('of no session names no_session', async () => {
    const [alice, bob] = await acquainted();
    const sent = await alice.send(bob, 'x');
    bob.forget(alice);
    expect(await bob.read(alice, sent)).toBe('[no_session]');
  });

  test.each(['prekey', 'signed_prekey', 'kyber_prekey'])('whose %s is gone names no_prekey', async (kind) => {
    const alice = new Party('alice');
    const bob = new Party('bob');
    await alice.start(bob);
    const sent = await alice.send(bob, 'x');
    for (const key of bob.keys(kind)) bob.entries.delete(`${kind}/${key}`);
    expect(await bob.read(alice, sent)).toBe('[no_prekey]');
  });

  test('read before names duplicate', async () => {
    const [alice, bob] = await acquainted();
    const sent = await alice.send(bob, 'x');
    expect(await bob.read(alice, sent)).toBe('x');
    expect(await bob.read(alice, sent)).toBe('[duplicate]');
  });

  test('of kind sender_key names unsupported_kind', async () => {
    const [alice, bob] = await acquainted();
    const { ciphertext } = await alice.send(bob, 'x');
    expect(await bob.read(alice, { kind: 'sender_key', ciphertext })).toBe('[unsupported_kind]');
  });

  test.each<[string, (sent: Sent) => Sent]>([
    [
      'with a changed last byte',
      ({ kind, ciphertext }) => ({
        kind,
        ciphertext: Uint8Array.from(ciphertext, (b, i) => (i === ciphertext.length - 1 ? b ^ 1 : b)),
      }),
    ],
    ['cut short', ({ kind, ciphertext }) => ({ kind, ciphertext: ciphertext.slice(0, -1) })],
    ['of no bytes', ({ kind }) => ({ kind, ciphertext: new Uint8Array() })],
    [
      'under the other kind',
      ({ kind, ciphertext }) => ({ kind: kind === 'prekey' ? 'session' : 'prekey', ciphertext }),
    ],
  ])('%s names invalid', async (_, change) => {
    const [alice, bob] = await acquainted();
    expect(await bob.read(alice, change(await alice.send(bob, 'x')))).toBe('[invalid]');
    const carol = new Party('carol');
    await carol.start(bob, bob.bundle(1));
    bob.entries.set(
      `session/${carol.local.address.account}.1`,
      bob.entries.get(`session/${alice.local.address.account}.1`)!,
    );
    expect(await bob.read(carol, change(await carol.send(bob, 'x')))).toBe('[invalid]');
  });

  test('from another sender than the envelope says names invalid', async () => {
    const [alice, bob] = await acquainted();
    const carol = new Party('carol');
    await carol.start(bob, bob.bundle(1));
    await bob.read(carol, await carol.send(bob, 'x'));
    expect(await bob.read(carol, await alice.send(bob, 'x'))).toBe('[invalid]');
  });

  test('of a first message from another sender than the envelope says names untrusted_identity', async () => {
    const [bob, carol, mallory] = [new Party('bob'), new Party('carol'), new Party('mallory')];
    await mallory.start(bob);
    expect(await bob.read(carol, await mallory.send(bob, 'x'))).toBe('[untrusted_identity]');
  });

  test('throws where an entry of the view is damaged, so that it is not taken for a fault of the sender', async () => {
    const [alice, bob] = await acquainted();
    const sent = await alice.send(bob, 'x');
    const damaged = { get: () => Uint8Array.of(0xff) };
    await expect(crypto.decrypt(bob.local, damaged, alice.peer, sent.kind, sent.ciphertext)).rejects.toThrow();
  });
});

describe('an identity key', () => {
  test('that is not the listed one is refused, and the same bytes read once it is', async () => {
    const [alice, bob] = await acquainted();
    const other = { ...alice.peer, identityKey: crypto.createIdentity().publicKey };
    for (const sent of [await alice.send(bob, 'later')]) {
      const before = snapshot(bob);
      expect(await bob.decrypt(other, sent)).toEqual({ type: 'failed', reason: 'untrusted_identity' });
      expect(bob.entries).toEqual(before);
      expect(await bob.read(alice, sent)).toBe('later');
    }
  });

  test('is never trusted because it is the first one seen', async () => {
    const alice = new Party('alice');
    const bob = new Party('bob');
    await alice.start(bob);
    const first = await alice.send(bob, 'later');
    const other = { ...alice.peer, identityKey: crypto.createIdentity().publicKey };
    expect(await bob.decrypt(other, first)).toEqual({ type: 'failed', reason: 'untrusted_identity' });
    expect(await bob.read(alice, first)).toBe('later');
  });
});

describe('a first message', () => {
  test('removes its one-time keys, and a copy of it finds none', async () => {
    const alice = new Party('alice');
    const bob = new Party('bob');
    await alice.start(bob, bob.bundle(3));
    const first = await alice.send(bob, 'x');
    expect(await bob.read(alice, first)).toBe('x');
    expect(bob.keys('prekey')).not.toContain('5');
    expect(bob.keys('kyber_prekey')).not.toContain('5');
    expect(bob.keys('prekey')).toHaveLength(9);
    expect(await bob.read(alice, first)).toBe('[duplicate]');
    bob.forget(alice);
    expect(await bob.read(alice, first)).toBe('[no_prekey]');
  });

  test('under the last-resort key is refused when it comes again without its session, and changes nothing', async () => {
    const alice = new Party('alice');
    const bob = new Party('bob', 0);
    await alice.start(bob);
    const first = await alice.send(bob, 'x');
    const second = await alice.send(bob, 'y');
    expect(await bob.read(alice, first)).toBe('x');
    expect(await bob.read(alice, second)).toBe('y');
    expect(bob.keys('kyber_prekey')).toEqual(['1']);
    expect(bob.keys('used_base_key')).toEqual([expect.stringMatching(/^1\.1\.[0-9a-f]{64}$/)]);
    bob.forget(alice);
    const before = snapshot(bob);
    expect(await bob.read(alice, first)).toBe('[replayed_prekey]');
    expect(await bob.read(alice, second)).toBe('[replayed_prekey]');
    expect(bob.entries).toEqual(before);
  });

  test('of another session may use the last-resort key again', async () => {
    const alice = new Party('alice');
    const bob = new Party('bob', 0);
    for (const text of ['one', 'two']) {
      await alice.start(bob);
      expect(await bob.read(alice, await alice.send(bob, text))).toBe(text);
    }
    expect(bob.keys('used_base_key')).toHaveLength(2);
  });
});

describe('changes', () => {
  test('that are dropped leave every call repeatable from the old view', async () => {
    const alice = new Party('alice');
    const bob = new Party('bob');
    await crypto.startSession(alice.local, alice.view, bob.peer, bob.bundle(), NOW);
    expect(alice.keys('session')).toEqual([]);
    await alice.start(bob);
    const before = snapshot(alice);
    await crypto.encrypt(alice.local, alice.view, bob.peer, Buffer.from('dropped'), NOW);
    expect(alice.entries).toEqual(before);
    for (const text of ['one', 'two', 'three']) {
      const sent = await alice.send(bob, text);
      for (let attempt = 0; attempt < 3; attempt++) {
        const dropped = await crypto.decrypt(bob.local, bob.view, alice.peer, sent.kind, sent.ciphertext);
        expect(dropped).toMatchObject({ type: 'decrypted', plaintext: Uint8Array.from(Buffer.from(text)) });
      }
      expect(await bob.read(alice, sent)).toBe(text);
      expect(await alice.read(bob, await bob.send(alice, `re: ${text}`))).toBe(`re: ${text}`);
    }
  });

  test('name an entry once each and never touch the view', async () => {
    const alice = new Party('alice');
    const bob = new Party('bob');
    await alice.start(bob);
    const first = await alice.send(bob, 'x');
    const asked = new Map(bob.entries);
    const view = { get: (kind: string, key: string) => asked.get(`${kind}/${key}`) };
    const decrypted = await crypto.decrypt(bob.local, view, alice.peer, first.kind, first.ciphertext);
    if (decrypted.type === 'failed') throw new Error(decrypted.reason);
    expect(asked).toEqual(bob.entries);
    const named = decrypted.changes.map(({ kind, key, bytes }) => `${bytes ? 'put' : 'remove'} ${kind} ${key}`);
    expect(named.sort()).toEqual([
      'put session 616c6963-0000-4000-8000-000000000000.1',
      'remove kyber_prekey 2',
      'remove prekey 2',
    ]);
  });
});
