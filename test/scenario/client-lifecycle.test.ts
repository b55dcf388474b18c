import { copyFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addressKey, closeCodes, limits, type PrekeysJson } from '@waxwing/protocol';
import { createClient, openClient, type HttpResponse } from '@waxwing/client-core';
import { openStore } from '../../client-core/src/history/store.ts';
import { addDevice } from '../support/client-second-device.ts';
import { acquainted, say, shown, talk } from '../support/client-talk.ts';
import { createClientWorld, worldOrigin, type ClientWorld, type TestClient } from '../support/client-world.ts';

let world: ClientWorld;
beforeEach(async () => {
  world = await createClientWorld();
});
afterEach(() => world.close());

const stateOf = (device: TestClient) => device.client.connection.getSnapshot().state;

function problem(status: number, code: string): HttpResponse {
  const headers = { 'content-type': 'application/problem+json' };
  return { status, headers, body: Buffer.from(JSON.stringify({ status, code })) };
}

describe('a registration', () => {
  test('that was interrupted is finished by the next createClient, with the same account', async () => {
    const device = await world.create();
    await world.wait(device.client.close());
    const path = `${device.path}.new`;
    const options = { server: worldOrigin, store: { path, key: device.key }, runtime: device.runtime };
    let posted = 0;
    device.http = async (request, send) => {
      posted += 1;
      await send(request);
      throw new Error('the answer was lost');
    };
    await expect(world.wait(createClient(options))).rejects.toMatchObject({ code: 'unreachable' });
    expect(posted).toBeGreaterThan(1);
    const store = openStore(path, device.key, { create: false });
    const account = store.device.get()?.account;
    store.close();
    await expect(openClient({ store: { path, key: device.key } })).rejects.toMatchObject({ code: 'no_device' });
    device.http = (request, send) => send(request);
    const client = await world.wait(createClient(options));
    expect(client.account).toBe(account);
    await world.wait(client.close());
    await expect(createClient(options)).rejects.toMatchObject({ name: 'DeviceExistsError' });
  });

  const unclear: readonly (readonly [string, HttpResponse])[] = [
    ['a proxy that gave up waiting', { status: 524, headers: {}, body: new Uint8Array() }],
    ['a server that failed after it had done it', problem(500, 'internal')],
    ['a full disk', problem(507, 'store_full')],
    ['a page of some proxy', { status: 201, headers: {}, body: Buffer.from('<html>hello</html>') }],
  ];
  test.each(unclear)(
    'that was done, and answered by %s, is finished by the next createClient',
    async (_who, answer) => {
      const device = await world.create();
      await world.wait(device.client.close());
      const path = `${device.path}.new`;
      const store = { path, key: device.key };
      const options = { server: worldOrigin, username: 'alice.01', store, runtime: device.runtime };
      device.http = async (request, send) => {
        await send(request);
        return answer;
      };
      await expect(world.wait(createClient(options))).rejects.toMatchObject({ retryable: true });
      device.http = (request, send) => send(request);
      const client = await world.wait(createClient(options));
      await world.wait(client.connect());
      expect((await world.wait(client.direct('alice.01'))).peer).toBe(client.account);
      await world.wait(client.close());
    },
  );

  test('that is refused leaves a file in which another can succeed', async () => {
    const first = await world.create();
    await world.wait(first.client.close());
    const { runtime, key } = first;
    const make = (name: string, username: string) =>
      world.wait(
        createClient({ server: worldOrigin, username, store: { path: `${first.path}.${name}`, key }, runtime }),
      );
    const alice = await make('a', 'alice.01');
    await expect(make('b', 'alice.01')).rejects.toMatchObject({ code: 'username_taken' });
    const bob = await make('b', 'bob.01');
    await world.wait(alice.connect());
    expect((await world.wait(alice.direct('bob'))).peer).toBe(bob.account);
    await expect(world.wait(alice.direct('carol.01'))).rejects.toMatchObject({ code: 'unknown_user' });
    await expect(world.wait(alice.direct('not a name'))).rejects.toMatchObject({ code: 'unknown_user' });
    first.http = () => Promise.reject(new Error('down'));
    await expect(world.wait(alice.direct('dave.01'))).rejects.toMatchObject({ code: 'unreachable' });
    await world.wait(Promise.all([alice.close(), bob.close()]));
  });
});

describe('a copy of a device', () => {
  test('is told by the second to connect: it drops its sessions and keys, keeps its history, and stays so', async () => {
    const [alice, bob] = await acquainted(world);
    await world.wait(bob.client.close());
    copyFileSync(bob.path, `${bob.path}.copy`);
    await world.reopen(bob);
    await world.connect(bob);
    await world.wait(bob.client.close());
    copyFileSync(`${bob.path}.copy`, bob.path);
    await world.reopen(bob);
    const session = addressKey({ account: alice.client.account, device: alice.client.device });
    const kept = () => [bob.store?.crypto.get('session', session), bob.store?.crypto.get('signed_prekey', '1')];
    expect(kept()).not.toContain(undefined);
    await expect(world.connect(bob)).rejects.toMatchObject({ code: 'cloned' });
    expect(stateOf(bob)).toBe('cloned');
    expect(kept()).toEqual([undefined, undefined]);
    expect(bob.store?.device.get()?.authSecretKey).toBeNull();
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho']);
    await world.reopen(bob);
    expect(stateOf(bob)).toBe('cloned');
    await expect(world.connect(bob)).rejects.toMatchObject({ code: 'cloned' });
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho']);
    const dials = bob.link.dials;
    await world.run(10 * 60_000);
    expect(bob.link.dials).toBe(dials);
  });
});

describe('a connection', () => {
  test('that was displaced does not come back by itself, and comes back when it is asked for', async () => {
    const bob = await world.online();
    const dials = bob.link.dials;
    bob.link.cut(closeCodes.displaced, 'displaced');
    await world.run(10 * 60_000);
    expect(stateOf(bob)).toBe('displaced');
    expect(bob.link.dials).toBe(dials);
    await world.connect(bob);
    expect(stateOf(bob)).toBe('online');
  });

  test('whose device was removed ends for good, and says why', async () => {
    const bob = await world.online();
    bob.link.offline = true;
    bob.link.cut(closeCodes.device_removed, 'device_removed');
    await world.run(60_000);
    expect(bob.client.connection.getSnapshot()).toMatchObject({ state: 'needs-auth', reason: 'device_removed' });
    bob.link.offline = false;
    expect(bob.link.dials).toBe(1);
  });

  test('that is lost comes back, and what was said meanwhile goes both ways', async () => {
    const [alice, bob] = await acquainted(world);
    alice.link.offline = true;
    alice.link.cut();
    await world.settle();
    const mine = await say(world, alice, bob, 'written offline');
    await world.wait((await say(world, bob, alice, 'while you were away')).reached('sent'));
    await world.run(30_000);
    expect(stateOf(alice)).not.toBe('online');
    alice.link.offline = false;
    await world.wait(mine.reached('delivered'));
    await world.run(1_000);
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'while you were away', 'written offline']);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'while you were away', 'written offline']);
  });

  test('waiting for one ends with the client', async () => {
    const bob = await world.create();
    bob.link.offline = true;
    const connecting = expect(bob.client.connect()).rejects.toMatchObject({ code: 'closed' });
    await world.run(5_000);
    await world.wait(bob.client.close());
    await connecting;
    await expect(bob.client.connect()).rejects.toMatchObject({ code: 'closed' });
    await expect(bob.client.direct(bob.client.account)).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('prekeys', () => {
  test('that run low are made anew, and each is handed out once', async () => {
    const [alice, bob] = await acquainted(world);
    const key = { account: bob.client.account, device: bob.client.device, addedIn: 1 };
    for (let taken = 0; taken < 10; taken += 1) await world.storage.prekeys.take(key, { oneTime: true });
    const before = await world.storage.prekeys.count(key);
    expect(before.oneTimeKeys).toBeLessThan(limits.prekeysLowBelow);
    // They are counted at every fourth heartbeat.
    await world.run(3 * limits.heartbeatMs);
    await world.until(() => bob.link.downs.some((down) => down.type === 'prekeys_low'));
    await world.run(1_000);
    expect((await world.storage.prekeys.count(key)).oneTimeKeys).toBeGreaterThan(limits.prekeysLowBelow);
    await world.wait((await say(world, alice, bob, 'still talking')).reached('delivered'));
  });

  test('that were lost on their way are followed by others at the next chance: the server may have had them', async () => {
    const bob = await world.online();
    const key = { account: bob.client.account, device: bob.client.device, addedIn: 1 };
    for (let taken = 0; taken < 10; taken += 1) await world.storage.prekeys.take(key, { oneTime: true });
    const uploads: PrekeysJson[] = [];
    bob.http = async (request, send) => {
      if (request.method !== 'PUT') return send(request);
      uploads.push(JSON.parse(Buffer.from(request.body ?? []).toString()) as PrekeysJson);
      if (uploads.length === 1) throw new Error('lost');
      return send(request);
    };
    bob.link.cut();
    await world.until(() => uploads.length === 1);
    bob.link.cut();
    await world.until(() => uploads.length === 2);
    const [lost, taken] = uploads.map(({ oneTimeKeys }) => new Set(oneTimeKeys?.map(({ id }) => id)));
    expect([...(taken ?? [])].filter((id) => lost?.has(id))).toEqual([]);
    expect(taken?.size).toBeGreaterThan(limits.prekeysLowBelow);
    expect(bob.events).toContainEqual({ type: 'serverRefused', code: 'unreachable', what: 'prekeys' });
    await world.run(1_000);
    expect((await world.storage.prekeys.count(key)).oneTimeKeys).toBeGreaterThan(limits.prekeysLowBelow);
  });

  test('that are used again and again are renewed after a week, and a session from old ones still begins', async () => {
    const [alice, bob] = [await world.online(), await world.create()];
    const key = { account: bob.client.account, device: bob.client.device, addedIn: 1 };
    const before = await world.storage.prekeys.repeated(key);
    await world.wait((await say(world, alice, bob, 'to the old keys')).reached('sent'));
    await world.wait(alice.client.close());
    world.runtime.advance(8 * 24 * 60 * 60 * 1_000);
    await world.connect(bob);
    await world.run(1_000);
    const after = await world.storage.prekeys.repeated(key);
    expect(after?.signedPrekey.id).not.toBe(before?.signedPrekey.id);
    await world.reopen(alice);
    await world.connect(alice);
    const sent = await say(world, alice, bob, 'hello');
    await world.wait(sent.reached('delivered'));
  });

  test('are left alone where the keyserver does not answer', async () => {
    const bob = await world.create();
    bob.http = () => Promise.reject(new Error('down'));
    await world.connect(bob);
    await world.run(5_000);
    expect(stateOf(bob)).toBe('online');
  });
});

describe('close', () => {
  test('is idempotent, and everything afterwards is refused with closed', async () => {
    const [alice, bob] = await acquainted(world);
    const conversation = await talk(world, alice, bob);
    const sent = await conversation.send({ text: 'last' });
    const seen = sent.status.getSnapshot();
    expect(seen.state).toBe('queued');
    await world.wait(Promise.all([alice.client.close(), alice.client.close(), alice.client[Symbol.asyncDispose]()]));
    expect(stateOf(alice)).toBe('closed');
    for (const call of [
      () => conversation.send({ text: 'x' }),
      () => sent.cancel(),
      () => sent.retry(),
      () => sent.reached('read'),
      () => alice.client.connect(),
      () => alice.client.direct(bob.client.account),
      () => alice.client.conversation(conversation.id),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'closed' });
    }
  });

  test('at any moment of everything throws nothing, and leaves a file that opens and goes on without loss', async () => {
    const [alice, bob] = await acquainted(world);
    const carol = await world.online();
    const expected: string[] = ['hi', 'ho'];
    for (let turns = 0; turns < 36; turns += 1) {
      await world.reopen(bob);
      const connecting = bob.client.connect().catch(() => undefined);
      const text = `m${turns}`;
      expected.push(text);
      await (await talk(world, alice, bob)).send({ text });
      const mine = await bob.client.direct(alice.client.account);
      await mine.send({ text: `from ${turns}` }, { id: `key ${turns}` });
      if (turns % 3 === 0) void (await talk(world, carol, bob)).send({ text });
      if (turns % 4 === 0) await addDevice(world, carol, turns / 4 + 2);
      const stranger = bob.client.direct(carol.client.account).catch(() => undefined);
      for (let turn = 0; turn < 3 * turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      const closing = bob.client.close();
      await world.wait(Promise.all([closing, connecting, stranger]));
    }
    await world.reopen(bob);
    await world.connect(bob);
    await world.run(10_000);
    const items = await shown(world, bob, alice);
    expect(items.filter((item) => expected.includes(item))).toEqual(expected);
    const mine = items.filter((item) => item.startsWith('from'));
    expect(mine).toEqual(Array.from({ length: 36 }, (_, index) => `from ${index}`));
    expect(items.filter((item) => item.startsWith('['))).toEqual([]);
    await world.run(5_000);
    expect(await shown(world, alice, bob)).toEqual(items);
  }, 120_000);

  test('while a stranger is looked up refuses with closed, and keeps nothing', async () => {
    const [bob, carol] = [await world.online(), await world.online()];
    let answer: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (answer = resolve));
    bob.http = async (request, send) => {
      await gate;
      return send(request);
    };
    const looking = expect(bob.client.direct(carol.client.account)).rejects.toMatchObject({ code: 'closed' });
    await world.settle();
    await world.wait(bob.client.close());
    answer();
    await looking;
  });

  test('while the heads of lost mail are asked for throws nothing', async () => {
    const [alice, bob] = await acquainted(world);
    await world.reopen(bob);
    bob.link.down = (down) => {
      if (down.type === 'heads_reply') return [];
      if (down.type !== 'ready') return [down];
      return [{ ...down, marks: [{ from: 1, to: 3, count: 1, reason: 'expired' }] }];
    };
    await world.connect(bob);
    await world.run(100);
    expect(bob.link.ups.some(({ type }) => type === 'heads')).toBe(true);
    await world.wait(bob.client.close());
    await world.reopen(bob);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho']);
  });

  test('while the keyserver is asked ends when it answers or does not, and throws nothing', async () => {
    const [alice, bob] = await acquainted(world);
    const carol = await world.online();
    let answer: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (answer = resolve));
    await addDevice(world, alice);
    bob.http = async (request, send) => {
      await gate;
      return send(request);
    };
    const conversation = await talk(world, bob, alice);
    await conversation.send({ text: 'mismatch' });
    await world.wait((await say(world, carol, bob, 'a stranger')).reached('sent'));
    await world.run(100);
    bob.link.cut();
    await world.run(5_000);
    const closing = bob.client.close();
    await world.settle();
    answer();
    await world.wait(closing);
    bob.http = (request, send) => send(request);
    await world.reopen(bob);
    await world.connect(bob);
    await world.run(5_000);
    expect(await shown(world, bob, carol)).toEqual(['a stranger']);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '!device added', 'mismatch']);
  });
});
