import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Client } from '@waxwing/client-core';
import { createTestWorld, type TestWorld } from '@waxwing/testing';

let world: TestWorld;
let alice: Client;
let bob: Client;

beforeEach(async () => {
  world = await createTestWorld();
  alice = await world.client('alice');
  bob = await world.client('bob');
  await world.wait((await send(alice, bob, 'before')).reached('delivered'));
});
afterEach(() => world.close());

const send = async (from: Client, to: Client, text: string) => (await from.direct(to.account)).send({ text });

/** The history as it is shown: texts, and holes with their count and reason. */
async function shown(at: Client, peer: Client): Promise<string[]> {
  const { items } = (await at.direct(peer.account)).history().getSnapshot();
  return items.map((item) => {
    if (item.kind === 'hole') return `[${item.count} ${item.reason}]`;
    return item.kind === 'message' ? (item.text ?? '') : item.kind;
  });
}

const isOnline = (client: Client): boolean => client.connection.getSnapshot().state === 'online';

describe('a server', () => {
  test('that is killed keeps what it accepted, and serves it when it is back', async () => {
    world.device('bob').network.offline();
    await world.wait((await send(alice, bob, 'accepted')).reached('sent'));
    world.server.kill();
    expect(world.server.isUp).toBe(false);
    await world.until(() => !isOnline(alice));
    const late = await send(alice, bob, 'while it was away');
    await world.advance(5_000);
    expect(late.status.getSnapshot().state).toBe('queued');
    world.device('bob').network.online();
    await world.server.start();
    expect(world.server.isUp).toBe(true);
    await world.wait(late.reached('delivered'));
    expect(await shown(bob, alice)).toEqual(['before', 'accepted', 'while it was away']);
  });

  test('that is killed answers no registration', async () => {
    world.server.kill();
    const making = world.client('carol');
    await expect(making).rejects.toMatchObject({ code: 'unreachable' });
    await world.server.start();
    expect((await world.client('carol')).connection.getSnapshot().state).toBe('online');
  });

  test('that forgot its mailboxes and counters goes on in order, and what it lost is repaired', async () => {
    world.device('bob').network.offline();
    await world.wait((await send(alice, bob, 'lost there')).reached('sent'));
    await world.server.start('forgotten');
    world.device('bob').network.online();
    await world.wait(bob.connect());
    await world.wait((await send(alice, bob, 'after')).reached('delivered'));
    await world.advance(60_000);
    expect(await shown(bob, alice)).toEqual(['before', 'lost there', 'after']);
  });

  test('that was restored from a backup accuses nobody of being a copy', async () => {
    const backup = world.server.backup();
    expect(backup.takenAt.getTime()).toBe(world.runtime.clock.now());
    await world.wait((await send(alice, bob, 'beyond the backup')).reached('delivered'));
    await world.server.start(backup);
    await world.wait((await send(bob, alice, 'after')).reached('delivered'));
    expect(await shown(alice, bob)).toEqual(['before', 'beyond the backup', 'after']);
    const { items } = (await alice.direct(bob.account)).history().getSnapshot();
    const eras = items.map((item) => (item.kind === 'message' ? item.sequence?.era : undefined));
    expect(eras[1]).toBe(eras[0]);
    expect(eras[2]).toBeGreaterThan(eras[1] ?? Infinity);
  });

  test('whose mail expired tells a device that was away of a hole', async () => {
    world.device('bob').network.offline();
    await world.wait((await send(alice, bob, 'expires')).reached('sent'));
    world.server.expireMail();
    await world.wait(alice.close());
    world.device('bob').network.online();
    await world.wait(bob.connect());
    await world.advance(5_000);
    expect(await shown(bob, alice)).toEqual(['before', '[1 expired]']);
  });

  test('whose disk is full refuses, loses nothing, and serves again when there is room', async () => {
    world.server.isDiskFull = true;
    const sent = await send(alice, bob, 'waits');
    await world.advance(5_000);
    expect(sent.status.getSnapshot().state).toBe('queued');
    await expect(world.client('carol')).rejects.toThrow();
    world.server.isDiskFull = false;
    await world.wait(sent.reached('delivered'));
    expect(await shown(bob, alice)).toEqual(['before', 'waits']);
  });

  test('whose clock is off says so in what it dates', async () => {
    world.server.clockOffsetMs = 3_600_000;
    await world.wait((await send(alice, bob, 'dated')).reached('delivered'));
    const last = bob.conversations().getSnapshot().items[0]?.lastMessage;
    const aheadMs = (last?.serverTime.getTime() ?? 0) - (last?.sentAt.getTime() ?? 0);
    expect(aheadMs).toBeGreaterThan(3_500_000);
  });
});

describe('a network', () => {
  test('that is gone keeps messages queued, and brings them when it is back', async () => {
    const { network } = world.device('alice');
    network.offline();
    expect(network.isOnline).toBe(false);
    const sent = await send(alice, bob, 'offline');
    await world.advance(10_000);
    expect(sent.status.getSnapshot().state).toBe('queued');
    network.online();
    await world.wait(sent.reached('delivered'));
    expect(await shown(bob, alice)).toEqual(['before', 'offline']);
  });

  test('that is cut comes back by itself', async () => {
    world.device('alice').network.cut();
    await world.until(() => !isOnline(alice));
    await world.until(() => isOnline(alice));
  });

  test('that is slow takes its time, in order', async () => {
    world.device('alice').network.set({ delayMs: 400 });
    const start = world.runtime.clock.now();
    const sent = await Promise.all(['one', 'two', 'three'].map((text) => send(alice, bob, text)));
    await world.advance(399);
    expect(await shown(bob, alice)).toEqual(['before']);
    for (const one of sent) await world.wait(one.reached('sent'));
    expect(world.runtime.clock.now() - start).toBeGreaterThanOrEqual(800);
    expect(await shown(bob, alice)).toEqual(['before', 'one', 'two', 'three']);
  });

  test('that stalls loses nothing', async () => {
    world.device('bob').network.stall(3_000);
    await send(alice, bob, 'held up');
    await world.advance(2_999);
    expect(await shown(bob, alice)).toEqual(['before']);
    await world.advance(1);
    expect(await shown(bob, alice)).toEqual(['before', 'held up']);
  });

  test('that is silent is found out by the heartbeat', async () => {
    world.device('bob').network.silence();
    await send(alice, bob, 'into the void');
    await world.advance(20_000);
    expect(await shown(bob, alice)).toEqual(['before']);
    expect(isOnline(bob)).toBe(true);
    await world.advance(120_000);
    expect(await shown(bob, alice)).toEqual(['before', 'into the void']);
  });

  test('that loses and doubles delivers each message once', async () => {
    world.device('alice').network.set({ lossRate: 0.05, duplicateRate: 0.3 });
    world.device('bob').network.set({ lossRate: 0.05 });
    const texts = Array.from({ length: 10 }, (_, i) => `message ${i}`);
    const sent = [];
    for (const text of texts) sent.push(await send(alice, bob, text));
    for (const one of sent) await world.wait(one.reached('sent'));
    world.device('alice').network.set({ lossRate: 0, duplicateRate: 0 });
    world.device('bob').network.set({ lossRate: 0 });
    await world.wait(bob.connect());
    await world.advance(60_000);
    expect(await shown(bob, alice)).toEqual(['before', ...texts]);
  });

  test('a device whose clock is off is online all the same', async () => {
    world.device('carol').clockOffsetMs = -25 * 3_600_000;
    const carol = await world.client('carol');
    await world.wait((await send(carol, bob, 'from yesterday')).reached('delivered'));
    expect(await shown(bob, carol)).toEqual(['from yesterday']);
  });
});
