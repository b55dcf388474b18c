import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createClient, openClient, type Client } from '@waxwing/client-core';
import { createTestWorld, type TestWorld } from '@waxwing/testing';

let world: TestWorld;
beforeEach(async () => {
  world = await createTestWorld({ seed: 7 });
});
afterEach(() => world.close());

const pair = async (): Promise<[Client, Client]> => [await world.client('alice'), await world.client('bob')];

const send = async (from: Client, to: Client, text: string) => (await from.direct(to.account)).send({ text });

async function shown(at: Client, peer: Client): Promise<string[]> {
  const { items } = (await at.direct(peer.account)).history().getSnapshot();
  return items.map((item) => (item.kind === 'message' ? (item.text ?? '') : `[${item.kind}]`));
}

describe('a world', () => {
  test('gives clients that are online and talk, without sockets and without waiting', async () => {
    const [alice, bob] = await pair();
    const inbox = bob.inbox();
    const before = world.runtime.clock.now();
    const sent = await send(alice, bob, 'hello');
    expect((await inbox.next()).value).toMatchObject({ from: alice.account, text: 'hello' });
    await sent.reached('sent');
    expect(world.runtime.clock.now()).toBe(before);
    await world.wait(sent.reached('delivered'));
    expect(world.runtime.clock.now()).toBeGreaterThan(before);
  });

  test('moves time only when it is told to', async () => {
    const rang: number[] = [];
    const start = world.runtime.clock.now();
    for (const ms of [3_000, 1_000]) world.runtime.timers.after(ms, () => rang.push(world.runtime.clock.now() - start));
    await world.settle();
    expect(rang).toEqual([]);
    await world.advance(2_000);
    expect(rang).toEqual([1_000]);
    await world.advance(1_000);
    expect(rang).toEqual([1_000, 3_000]);
  });

  test('is the same again with the same seed, and another with another', async () => {
    const run = async (seed: number) => {
      const other = await createTestWorld({ seed });
      const [ann, ben] = [await other.client('ann'), await other.client('ben')];
      const sent = await send(ann, ben, 'same');
      await other.wait(sent.reached('delivered'));
      const made = { accounts: [ann.account, ben.account], id: sent.id, ms: other.runtime.clock.now() };
      await other.close();
      return made;
    };
    const first = await run(1);
    expect(await run(1)).toEqual(first);
    expect((await run(2)).accounts).not.toEqual(first.accounts);
  });

  test('gives one client to a device, also where it is asked for twice at once', async () => {
    const [one, same] = await Promise.all([world.client('alice'), world.client('alice')]);
    expect(same).toBe(one);
    const { account } = one;
    await world.wait(one.close());
    const again = await world.client({ name: 'alice', connect: false });
    expect(again).not.toBe(one);
    expect(again.account).toBe(account);
    expect(again.connection.getSnapshot().state).toBe('offline');
  });

  test('finds who has a username', async () => {
    const alice = await world.client('alice');
    const bob = await world.client({ name: 'bob', username: 'bobby' });
    expect((await alice.direct('bobby')).peer).toBe(bob.account);
  });

  test('runs a client that the app makes by itself', async () => {
    const { options } = world.device('phone');
    const made = await createClient(options);
    await made.connect();
    await world.wait(made.close());
    const opened = await openClient(options);
    expect(opened.account).toBe(made.account);
    await world.wait(opened.close());
  });

  test('says so where something does not come about', async () => {
    const never = new Promise<never>(() => undefined);
    await expect(world.wait(never)).rejects.toThrow('still open after a virtual minute');
    await expect(world.until(() => false)).rejects.toThrow('not within a virtual minute');
  });

  test('leaves no file behind', async () => {
    const { store } = world.device('alice').options;
    const alice = await world.client('alice');
    expect(existsSync(store.path)).toBe(true);
    await world.close();
    expect(alice.connection.getSnapshot().state).toBe('closed');
    expect(existsSync(dirname(store.path))).toBe(false);
  });
});

describe('a process that is killed', () => {
  test('loses nothing that was committed, and says nothing more', async () => {
    const [alice, bob] = await pair();
    world.device('alice').network.offline();
    await send(alice, bob, 'kept');
    world.device('alice').kill();
    world.device('alice').network.online();
    await world.advance(30_000);
    expect(await shown(bob, alice)).toEqual([]);
    const back = await world.client('alice');
    expect(back.account).toBe(alice.account);
    await world.until(() => bob.conversations().getSnapshot().items[0]?.lastMessage?.text === 'kept');
    expect((await shown(bob, back)).length).toBe(1);
    expect(alice.connection.getSnapshot().state).toBe('closed');
  });

  test('is given again what it was not done with', async () => {
    const [alice, bob] = await pair();
    await send(alice, bob, 'once');
    const lost = bob.inbox();
    expect((await lost.next()).value).toMatchObject({ text: 'once', redelivered: false });
    world.device('bob').kill();
    const back = await world.client('bob');
    expect((await lost.next()).done).toBe(true);
    expect((await back.inbox().next()).value).toMatchObject({ text: 'once', redelivered: true });
  });
});
