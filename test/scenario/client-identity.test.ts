import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  decodeFrame,
  limits,
  decodeSignedDeviceList,
  deviceListHash,
  encodeSignedDeviceList,
  signDeviceList,
} from '@waxwing/protocol';
import { sendHold } from '../../client-core/src/sync/send-hold.ts';
import { rotateIdentity } from '../support/client-rotation.ts';
import { acquainted, alerts, holesOf, keepBack, say, sayAll, shown, talk } from '../support/client-talk.ts';
import { createClientWorld, type ClientWorld, type TestClient } from '../support/client-world.ts';

let world: ClientWorld;
let alice: TestClient;
let bob: TestClient;

beforeEach(async () => {
  world = await createClientWorld();
  [alice, bob] = await acquainted(world);
});
afterEach(() => world.close());

const numberOf = (at: TestClient, peer: TestClient) => world.wait(at.client.safetyNumber(peer.client.account));
const isVerified = async (at: TestClient, peer: TestClient) => (await numberOf(at, peer)).verified;

async function verify(at: TestClient, peer: TestClient): Promise<void> {
  await at.client.trust.markVerified(peer.client.account, await numberOf(at, peer));
}

async function reopenWith(policy: TestClient['identityPolicy'], device: TestClient): Promise<void> {
  device.identityPolicy = policy;
  await world.reopen(device);
  await world.connect(device);
}

/** Bob has another identity key, is online, and has said so. */
async function bobRotatesAndSays(text: string): Promise<void> {
  await rotateIdentity(world, bob, alice);
  await world.connect(bob);
  await sayAll(world, bob, alice, text);
  await world.run(1_000);
}

/** The frames that Alice encrypted under Bob's key of now, as texts and kinds. */
const encrypted = (): number => alice.frames.length;

describe('a safety number', () => {
  test('is 60 digits, the same on both sides, and each side knows the bytes of the other', async () => {
    const [mine, his] = [await numberOf(alice, bob), await numberOf(bob, alice)];
    expect(mine.digits).toMatch(/^\d{60}$/);
    expect(his.digits).toBe(mine.digits);
    expect(mine.compare(his.scannable)).toBe(true);
    expect(his.compare(mine.scannable)).toBe(true);
    expect(mine.compare(his.digits)).toBe(true);
    expect(mine.compare(his.digits.replace(/(\d{5})/g, '$1 \n'))).toBe(true);
  });

  test('is no other: not that with a third, nor the own bytes, nor digits that differ in one', async () => {
    const carol = await world.online();
    const mine = await numberOf(alice, bob);
    const other = await numberOf(carol, bob);
    expect(other.digits).not.toBe(mine.digits);
    expect(mine.compare(other.scannable)).toBe(false);
    expect(mine.compare((await numberOf(bob, carol)).scannable)).toBe(false);
    expect(mine.compare(mine.scannable)).toBe(false);
    expect(mine.compare(`${mine.digits.slice(0, -1)}${(Number(mine.digits.at(-1)) + 1) % 10}`)).toBe(false);
    expect(mine.compare('')).toBe(false);
  });

  test('of an account that is not known yet has its list fetched, and needs no server later', async () => {
    const carol = await world.online();
    const first = await numberOf(carol, bob);
    carol.http = () => Promise.reject(new Error('down'));
    expect((await numberOf(carol, bob)).digits).toBe(first.digits);
    await expect(numberOf(carol, alice)).rejects.toMatchObject({ code: 'unreachable' });
    carol.http = () =>
      Promise.resolve({ status: 404, headers: {}, body: Buffer.from(JSON.stringify({ code: 'not_found' })) });
    await expect(numberOf(carol, alice)).rejects.toMatchObject({ code: 'unknown_user' });
  });

  test('that was compared stays verified, and no other becomes so', async () => {
    expect(await isVerified(alice, bob)).toBe(false);
    await verify(alice, bob);
    expect(await isVerified(alice, bob)).toBe(true);
    expect(await isVerified(bob, alice)).toBe(false);
    await reopenWith('accept-and-warn', alice);
    expect(await isVerified(alice, bob)).toBe(true);
    const carol = await world.online();
    const other = await numberOf(alice, carol);
    await expect(alice.client.trust.markVerified(bob.client.account, other)).rejects.toMatchObject({
      code: 'safety_number_changed',
    });
    await expect(alice.client.trust.markVerified(carol.client.account, await numberOf(alice, bob))).rejects.toThrow();
    expect(await isVerified(alice, carol)).toBe(false);
  });

  test('that was given before the identity changed cannot be marked', async () => {
    const before = await numberOf(alice, bob);
    await bobRotatesAndSays('new key');
    const now = await numberOf(alice, bob);
    expect(now.digits).not.toBe(before.digits);
    await expect(alice.client.trust.markVerified(bob.client.account, before)).rejects.toMatchObject({
      code: 'safety_number_changed',
      retryable: false,
    });
    expect(await isVerified(alice, bob)).toBe(false);
    expect(now.digits).toBe((await numberOf(bob, alice)).digits);
  });
});

describe('an identity that its key before signed over', () => {
  test('is told and shown, and both go on in the next epoch, in one order', async () => {
    await bobRotatesAndSays('new key');
    expect(alice.events).toContainEqual({ type: 'identityChanged', account: bob.client.account });
    expect(alerts(alice)).toEqual([]);
    await world.wait((await say(world, alice, bob, 'I see')).reached('delivered'));
    await world.wait((await say(world, bob, alice, 'good')).reached('delivered'));
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', '!identity changed', 'new key', 'I see', 'good']);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'new key', 'I see', 'good']);
    const coverage = await (await talk(world, alice, bob)).coverage();
    expect(coverage.held.map(({ epoch }) => epoch)).toEqual([2, 3]);
    expect(coverage.holes).toEqual([]);
    expect(holesOf(alice).concat(holesOf(bob))).toEqual([]);
  });

  test('that this device learns of from the server, before it hears of it, is written to under the new key', async () => {
    await rotateIdentity(world, bob, alice);
    await world.connect(bob);
    await sayAll(world, alice, bob, 'in the epoch before');
    bob.link.cut();
    alice.link.up = (up) => {
      if (up.type !== 'submit') return [up];
      alice.link.up = (later) => [later];
      alice.link.say({ type: 'rejected', request: up.request, code: 'mismatch', retryAfterMs: 0, mismatches: [] });
      return [];
    };
    await sayAll(world, alice, bob, 'again in it');
    await world.wait((await say(world, alice, bob, 'in the next')).reached('delivered'));
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'in the epoch before', 'again in it', 'in the next']);
  });

  test('makes a verified number unverified, and nothing more is encrypted until the person accepts or verifies', async () => {
    for (const end of ['accept', 'verify'] as const) {
      // A list is asked for once a minute.
      await world.run(60_000);
      await verify(alice, bob);
      await bobRotatesAndSays('new key');
      expect(await isVerified(alice, bob)).toBe(false);
      const before = encrypted();
      const sent = await say(world, alice, bob, 'is it you?');
      await world.run(5_000);
      expect(sent.status.getSnapshot()).toEqual({ state: 'queued' });
      expect(encrypted()).toBe(before);
      if (end === 'accept') await alice.client.trust.accept(bob.client.account);
      else await verify(alice, bob);
      await world.wait(sent.reached('delivered'));
      expect(await isVerified(alice, bob)).toBe(end === 'verify');
    }
  });
});

describe('under the policy block', () => {
  beforeEach(() => reopenWith('block', alice));
  const hold = () => alice.store && sendHold(alice.store, alice.identityPolicy, bob.client.account);

  test('messages to who has another key stay queued, with the cause, nothing is encrypted, and what comes is read', async () => {
    await sayAll(world, alice, bob, 'under the key that was');
    await world.run(4_000);
    expect(hold()).toBeUndefined();
    await bobRotatesAndSays('new key');
    const before = encrypted();
    const sent = await say(world, alice, bob, 'held');
    await world.run(60_000);
    expect(sent.status.getSnapshot()).toEqual({ state: 'queued' });
    expect(hold()).toMatchObject({ cause: 'identity changed', wasVerified: false });
    expect(encrypted()).toBe(before);
    expect((await shown(world, alice, bob)).slice(-3)).toEqual(['!identity changed', 'new key', 'held?']);
    await alice.client.trust.accept(bob.client.account);
    await world.wait(sent.reached('delivered'));
    await world.run(5_000);
    expect(hold()).toBeUndefined();
    // The receipt that was held as well.
    expect((await shown(world, bob, alice)).slice(-2)).toEqual(['new key', 'held']);
    expect(await isVerified(alice, bob)).toBe(false);
    expect(alice.frames.slice(before).some((frame) => decodeFrame(frame).place === undefined)).toBe(true);
  });

  test('the hold outlives the process, and holds again at the next change', async () => {
    await bobRotatesAndSays('second key');
    await reopenWith('block', alice);
    const sent = await say(world, alice, bob, 'held');
    await world.run(5_000);
    expect(sent.status.getSnapshot()).toEqual({ state: 'queued' });
    await alice.client.trust.accept(bob.client.account);
    await world.wait(sent.reached('delivered'));
    await bobRotatesAndSays('third key');
    const again = await say(world, alice, bob, 'held again');
    await world.run(5_000);
    expect(again.status.getSnapshot()).toEqual({ state: 'queued' });
  });

  test('a change that was never accepted holds from the day on that the policy is chosen', async () => {
    await reopenWith('accept-and-warn', alice);
    await bobRotatesAndSays('new key');
    await world.wait((await say(world, alice, bob, 'goes')).reached('sent'));
    await reopenWith('block', alice);
    const sent = await say(world, alice, bob, 'stays');
    await world.run(5_000);
    expect(sent.status.getSnapshot()).toEqual({ state: 'queued' });
  });

  test('a message that was framed before the change is not encrypted anew, and goes when it is accepted', async () => {
    await rotateIdentity(world, bob, alice);
    await world.connect(bob);
    const refuse = () => {
      alice.link.up = (up) => {
        if (up.type !== 'submit') return [up];
        alice.link.say({ type: 'rejected', request: up.request, code: 'mismatch', retryAfterMs: 0, mismatches: [] });
        return [];
      };
    };
    refuse();
    const before = encrypted();
    const sent = await say(world, alice, bob, 'framed');
    await world.run(100);
    const ups = alice.link.ups.length;
    await world.run(60_000);
    expect(encrypted()).toBe(before + 1);
    expect(hold()).toMatchObject({ cause: 'identity changed' });
    // It does not ask the relay again and again meanwhile.
    expect(alice.link.ups.slice(ups).filter((up) => up.type === 'submit')).toEqual([]);
    // Nor what would stand for it, though there is a session under the new key by now.
    await sayAll(world, bob, alice, 'new key');
    await world.run(1_000);
    void sent.cancel();
    await world.run(1_000);
    expect(encrypted()).toBe(before + 1);
    alice.link.up = (up) => [up];
    await alice.client.trust.accept(bob.client.account);
    await world.wait(sent.reached('delivered'));
  });
});

describe('mail under the key before', () => {
  /** Bob says something that does not reach Alice, and rotates; Alice learns the new key. */
  async function underWay(): Promise<{ release(): void }> {
    const kept = keepBack(alice, 2);
    await sayAll(world, bob, alice, 'under way');
    await bobRotatesAndSays('new key');
    return { release: () => kept.release(2) };
  }

  test('that was under way in a session is read for a day', async () => {
    const mail = await underWay();
    await world.run(3_600_000);
    mail.release();
    await world.run(1_000);
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', '!identity changed', 'under way', 'new key']);
    expect(holesOf(alice).some(({ reason }) => reason === 'undecryptable')).toBe(false);
  });

  test('is not read after a day: it is a hole, which its author fills', async () => {
    const mail = await underWay();
    world.runtime.stepClock(limits.formerIdentityMs);
    mail.release();
    await world.run(1_000);
    expect(holesOf(alice)).toContainEqual(expect.objectContaining({ reason: 'undecryptable' }));
    await world.run(60_000);
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', '!identity changed', 'under way', 'new key']);
  });
});

test('an identity that its key before did not sign over is refused, with an alert, and changes nothing', async () => {
  await verify(alice, bob);
  const number = await numberOf(alice, bob);
  const stored = await world.storage.directory.deviceList(bob.client.account);
  if (!stored) throw new Error('a list');
  const evil = alice.runtime.crypto.createIdentity();
  const forged = signDeviceList(
    {
      ...stored.list,
      version: 2,
      previousHash: deviceListHash(decodeSignedDeviceList(stored.signed)),
      identityKey: evil.publicKey,
      identityGeneration: 2,
    },
    (message) => alice.runtime.crypto.signIdentity(evil.keyPair, message),
    (message) => alice.runtime.crypto.signIdentity(evil.keyPair, message),
  );
  const deviceList = Buffer.from(encodeSignedDeviceList(forged)).toString('base64url');
  alice.http = async (request, send) => {
    const answer = await send(request);
    if (!request.url.endsWith('/v1/bundles')) return answer;
    const text = Buffer.from(answer.body).toString();
    return { ...answer, body: Buffer.from(text.replace(/"deviceList":"[^"]+"/, `"deviceList":"${deviceList}"`)) };
  };
  let refused = false;
  alice.link.up = (up) => {
    if (up.type !== 'submit' || refused) return [up];
    refused = true;
    alice.link.say({ type: 'rejected', request: up.request, code: 'mismatch', retryAfterMs: 0, mismatches: [] });
    return [];
  };
  const sent = await say(world, alice, bob, 'to Bob alone');
  await world.run(5_000);
  expect(alerts(alice)[0]).toMatch(/^device list refused: /);
  expect(alice.events.some(({ type }) => type === 'identityChanged')).toBe(false);
  expect(await numberOf(alice, bob)).toMatchObject({ digits: number.digits, verified: true });
  alice.http = (request, send) => send(request);
  await world.wait(sent.reached('delivered'));
});
