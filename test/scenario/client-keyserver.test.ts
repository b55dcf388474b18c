import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  decodeSignedDeviceList,
  decodeSubmitBody,
  deviceListHash,
  encodeSignedDeviceList,
  readDeviceList,
  signDeviceList,
  type AccountBundlesJson,
  type BundlesJson,
} from '@waxwing/protocol';
import type { HttpRequest, SendHttp } from '@waxwing/client-core';
import { addDevice } from '../support/client-second-device.ts';
import { acquainted, alerts, say, shown, submitsOf, talk } from '../support/client-talk.ts';
import { createClientWorld, type ClientWorld, type TestClient } from '../support/client-world.ts';

let world: ClientWorld;
let alice: TestClient;
let bob: TestClient;

beforeEach(async () => {
  world = await createClientWorld();
  [alice, bob] = await acquainted(world);
});
afterEach(() => world.close());

const isBundles = ({ url }: HttpRequest): boolean => url.endsWith('/v1/bundles');

/** Changes the keyserver's answers to requests for bundles. */
function bundles(change: (found: AccountBundlesJson) => Partial<AccountBundlesJson> | undefined) {
  return async (request: HttpRequest, send: SendHttp) => {
    const answer = await send(request);
    if (!isBundles(request) || answer.status !== 200) return answer;
    const json = JSON.parse(Buffer.from(answer.body).toString()) as BundlesJson;
    const changed = json.bundles.flatMap((found) => {
      const other = change(found);
      return other ? [{ ...found, ...other }] : [];
    });
    return { ...answer, body: Buffer.from(JSON.stringify({ bundles: changed })) };
  };
}

describe('a keyserver', () => {
  test('that has no bundle of a device leaves a message that is taken back to its own outcome', async () => {
    await addDevice(world, bob);
    bob.http = (request, send) => send(request);
    alice.http = bundles((found) => ({ devices: found.devices.filter(({ device }) => device === 1) }));
    const sent = await say(world, alice, bob, 'no session with the second device');
    await world.run(3_000);
    const cancelled = sent.cancel();
    await world.run(3_000);
    alice.http = (request, send) => send(request);
    expect(await world.wait(cancelled)).toBe(false);
    expect(sent.status.getSnapshot().state).not.toBe('failed');
  });

  test('that denies the own account, whose second device lacks a session, fails nothing; messages go to both', async () => {
    const carol = await world.online();
    const toCarol = await talk(world, alice, carol);
    await addDevice(world, alice);
    const isOwn = ({ account }: AccountBundlesJson) => account === alice.client.account;
    // The list becomes known; the bundle does not come.
    alice.http = bundles((found) => (isOwn(found) ? { devices: [] } : {}));
    const first = await say(world, alice, bob, 'from one of two devices');
    await world.run(3_000);
    alice.http = bundles((found) => (isOwn(found) ? undefined : {}));
    const second = await toCarol.send({ text: 'from one of two devices' });
    await world.run(5_000);
    expect(second.status.getSnapshot()).toEqual({ state: 'queued' });
    alice.http = (request, send) => send(request);
    await world.wait(first.reached('delivered'));
    await world.wait(second.reached('delivered'));
    const accepted = new Map(submitsOf(alice).map(({ handle, body }) => [handle, decodeSubmitBody(body).recipients]));
    const named = [...accepted.values()].map((all) => all.map(({ devices }) => devices.map(({ device }) => device)));
    expect(named).toEqual([
      [[1], [2]],
      [[1], [2]],
    ]);
  });

  test('that knows a peer no more fails what waits for it', async () => {
    const carol = await world.online();
    const conversation = await talk(world, alice, carol);
    alice.http = bundles(() => undefined);
    const sent = await conversation.send({ text: 'gone' });
    await expect(world.wait(sent.reached('sent'))).rejects.toMatchObject({ code: 'unknown_recipient' });
    alice.http = (request, send) => send(request);
    await sent.retry();
    await world.wait(sent.reached('sent'));
  });

  test.each<[string, (found: AccountBundlesJson) => Partial<AccountBundlesJson>]>([
    ['a list that is none', () => ({ deviceList: Buffer.from('garbage').toString('base64url') })],
    ['the list of another account', () => ({ deviceList: listOf(bob) })],
    [
      'a bundle for another registration',
      ({ devices }) => ({ devices: devices.map((one) => ({ ...one, registrationId: 5 })) }),
    ],
    [
      'a bundle with keys of its own',
      ({ devices }) => ({
        devices: devices.map((one) => ({
          ...one,
          signedPrekey: { ...one.signedPrekey, publicKey: one.kyberKey.publicKey },
        })),
      }),
    ],
    [
      'a bundle that nobody signed',
      ({ devices }) => ({
        devices: devices.map((one) => ({
          ...one,
          signedPrekey: { ...one.signedPrekey, signature: Buffer.alloc(64, 1).toString('base64url') },
        })),
      }),
    ],
  ])(
    'that gives %s gets nothing encrypted for it; the message waits and goes when the answer is good',
    async (_name, change) => {
      const carol = await world.online();
      const conversation = await talk(world, alice, carol);
      lists.set(bob, (await world.storage.directory.deviceList(bob.client.account))?.signed ?? new Uint8Array(0));
      alice.http = bundles(change);
      alice.frames.length = 0;
      const sent = await conversation.send({ text: 'secret' });
      await world.run(5_000);
      expect(sent.status.getSnapshot()).toEqual({ state: 'queued' });
      expect(alice.frames).toEqual([]);
      alice.http = (request, send) => send(request);
      await world.wait(sent.reached('sent'));
    },
  );

  const lists = new Map<TestClient, Uint8Array>();
  const listOf = (device: TestClient) => Buffer.from(lists.get(device) ?? []).toString('base64url');

  test('that puts another identity in place of a known one, some versions ahead, is not believed', async () => {
    const evil = alice.runtime.crypto.createIdentity();
    const stored = await world.storage.directory.deviceList(bob.client.account);
    if (!stored) throw new Error('a list');
    const forged = signDeviceList(
      {
        ...stored.list,
        version: stored.list.version + 2,
        previousHash: deviceListHash(decodeSignedDeviceList(stored.signed)),
        identityKey: evil.publicKey,
        identityGeneration: stored.list.identityGeneration + 1,
      },
      (message) => alice.runtime.crypto.signIdentity(evil.keyPair, message),
    );
    const deviceList = Buffer.from(encodeSignedDeviceList(forged)).toString('base64url');
    expect(readDeviceList(forged).version).toBe(3);
    alice.http = bundles(() => ({ deviceList }));
    let refused = false;
    alice.link.up = (up) => {
      if (up.type !== 'submit' || refused) return [up];
      refused = true;
      const { request } = up;
      alice.link.say({ type: 'rejected', request, code: 'mismatch', retryAfterMs: 0, mismatches: [] });
      return [];
    };
    const sent = await say(world, alice, bob, 'to Bob alone');
    await world.run(1_000);
    expect(alerts(alice)).toEqual(['device list refused: no signature by the key before']);
    expect(alice.events.some(({ type }) => type === 'identityChanged')).toBe(false);
    alice.http = (request, send) => send(request);
    await world.wait(sent.reached('delivered'));
  });

  test('that brings an identity which the one before signed tells of the change', async () => {
    const before = bob.identity;
    const next = bob.runtime.crypto.createIdentity();
    const stored = await world.storage.directory.deviceList(bob.client.account);
    if (!stored) throw new Error('a list');
    const { crypto } = bob.runtime;
    const rotated = signDeviceList(
      {
        ...stored.list,
        version: 2,
        previousHash: deviceListHash(decodeSignedDeviceList(stored.signed)),
        identityKey: next.publicKey,
        identityGeneration: 2,
      },
      (message) => crypto.signIdentity(next.keyPair, message),
      (message) => crypto.signIdentity(before.keyPair, message),
    );
    await world.storage.directory.putDeviceList({
      signed: encodeSignedDeviceList(rotated),
      list: readDeviceList(rotated),
    });
    alice.link.up = (up) => {
      if (up.type !== 'submit') return [up];
      alice.link.up = (later) => [later];
      const { request } = up;
      alice.link.say({ type: 'rejected', request, code: 'mismatch', retryAfterMs: 0, mismatches: [] });
      return [];
    };
    await say(world, alice, bob, 'to the new one');
    await world.run(1_000);
    expect(alice.events).toContainEqual({ type: 'identityChanged', account: bob.client.account });
    expect(alerts(alice)).toEqual([]);
  });

  test('is asked for the list of a stranger at most once a minute', async () => {
    const carol = await world.online();
    let asked = 0;
    const missing = (request: HttpRequest, send: SendHttp) => {
      if (!request.url.includes('device-list')) return send(request);
      asked += 1;
      return Promise.resolve({ status: 404, headers: {}, body: Buffer.from(JSON.stringify({ code: 'not_found' })) });
    };
    bob.http = missing;
    for (let index = 0; index < 4; index += 1) {
      await world.wait((await say(world, carol, bob, `c${index}`)).reached('sent'));
    }
    await world.run(1_000);
    expect(asked).toBe(1);
    await world.run(61_000);
    await world.wait((await say(world, carol, bob, 'c4')).reached('sent'));
    await world.run(1_000);
    expect(asked).toBe(2);
    world.runtime.stepClock(-3_600_000);
    await world.wait((await say(world, carol, bob, 'c5')).reached('sent'));
    await world.run(1_000);
    expect(asked).toBe(3);
    bob.http = (request, send) => send(request);
    await world.run(61_000);
    await world.wait((await say(world, carol, bob, 'c6')).reached('sent'));
    await world.run(1_000);
    expect(await shown(world, bob, carol)).toEqual(['c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6']);
  });
});
