import { limits } from '@waxwing/protocol';
import type { Storage } from '@waxwing/storage';
import { describe, expect, it } from 'vitest';
import { unlist } from '../../support/relay-account.ts';
import { authenticateMessage, bodyFor, generation, submitMessage } from '../../support/relay-device.ts';
import { createRelayWorld, settle, until } from '../../support/relay-world.ts';

describe('the clone guard', () => {
  it('tells the second of two copies before it gets anything, and leaves the first alone', async () => {
    const world = createRelayWorld();
    const [device] = (await world.account()).devices;
    const original = world.link();
    await original.device.authenticate(device, { generations: [generation(1), generation(2)] });
    const copy = world.link();
    const message = authenticateMessage(device, await copy.device.next('challenge'), {
      generations: [generation(1), generation(3)],
    });
    copy.device.say(message);
    expect(await copy.device.ended).toEqual({ code: 4304, reason: 'cloned' });
    expect(copy.device.all('ready')).toEqual([]);
    await settle();
    expect(original.ends).toEqual([]);
  });

  it('takes a device whose answer was lost, and each next start of it', async () => {
    const world = createRelayWorld();
    const [device] = (await world.account()).devices;
    for (const count of [1, 1, 2, 3]) {
      const link = world.link();
      const generations = Array.from({ length: count }, (_, index) => generation(index + 1));
      link.device.say(authenticateMessage(device, await link.device.next('challenge'), { generations }));
      await link.device.next('ready');
      link.device.end();
    }
  });
});

describe('one connection per device', () => {
  it('a newer one displaces the older, which gets nothing after it', async () => {
    const world = createRelayWorld();
    const [alice] = (await world.account()).devices;
    const [bob] = (await world.account()).devices;
    const older = world.link();
    await older.device.authenticate(bob);
    await older.device.next('drained');
    const newer = world.link();
    await newer.device.authenticate(bob);
    expect(await older.device.ended).toEqual({ code: 4303, reason: 'displaced' });
    const sender = world.link().device;
    await sender.authenticate(alice);
    sender.say(submitMessage(bodyFor([bob], alice, 'hello'), { n: 1 }));
    await newer.device.next('deliver');
    expect(older.device.all('deliver')).toEqual([]);
    expect(world.gateway.connections()).toBe(2);
  });

  it('which is the newer is decided by when they came, not by which authenticated first', async () => {
    const world = createRelayWorld();
    const [device] = (await world.account()).devices;
    const older = world.link();
    const newer = world.link();
    const late = authenticateMessage(device, await older.device.next('challenge'));
    await newer.device.authenticate(device);
    older.device.say(late);
    expect(await older.device.ended).toEqual({ code: 4303, reason: 'displaced' });
    await settle();
    expect(newer.ends).toEqual([]);
  });

  it('of many that connect at once exactly one stays, and it gets every message once', async () => {
    const world = createRelayWorld();
    const [alice] = (await world.account()).devices;
    const [bob] = (await world.account()).devices;
    const sender = world.link().device;
    await sender.authenticate(alice);
    const links = Array.from({ length: 30 }, () => world.link());
    for (const [index, link] of links.entries()) {
      link.device.say(authenticateMessage(bob, await link.device.next('challenge')));
      sender.say(submitMessage(bodyFor([bob], alice, `${index}`), { n: index + 1 }));
    }
    await until(() => links.filter((link) => !link.isOver()).length === 1);
    const last = links.at(-1)!;
    expect(last.isOver()).toBe(false);
    await until(() => last.device.all('deliver').length === links.length);
    await settle();
    expect(last.device.all('deliver').map(({ position }) => position.number)).toEqual(links.map((_, i) => i + 1));
  });

  it('a displaced connection that ends later does not take the newer one from the registry', async () => {
    const world = createRelayWorld();
    const [device] = (await world.account()).devices;
    const older = world.link();
    await older.device.authenticate(device);
    older.pause();
    const newer = world.link();
    await newer.device.authenticate(device);
    older.resume();
    await older.device.ended;
    world.gateway.disconnect(device.key, 'device_removed');
    expect((await newer.device.ended).reason).toBe('device_removed');
  });
});

describe('a device that left its list', () => {
  it('is closed at once when told', async () => {
    const world = createRelayWorld();
    const [device] = (await world.account()).devices;
    const link = world.link();
    await link.device.authenticate(device);
    world.gateway.disconnect(device.key, 'device_removed');
    expect(await link.device.ended).toEqual({ code: 4306, reason: 'device_removed' });
  });

  it('is found at the next heartbeat when nobody told, and its mailbox goes', async () => {
    const dropped: number[] = [];
    const world = createRelayWorld({
      wrap: (storage: Storage) => ({
        ...storage,
        mailboxes: {
          ...storage.mailboxes,
          drop: (key) => {
            dropped.push(key.device);
            return storage.mailboxes.drop(key);
          },
        },
      }),
    });
    const [first, second] = (await world.account({ devices: 2 })).devices;
    const kept = world.link();
    const link = world.link();
    await kept.device.authenticate(first);
    await link.device.authenticate(second!);
    await unlist(world.storage, second!);
    await world.runtime.advanceAsync(limits.heartbeatMs);
    expect(await link.device.ended).toEqual({ code: 4306, reason: 'device_removed' });
    expect(dropped).toEqual([2]);
    expect(kept.isOver()).toBe(false);
  });

  it('cannot connect', async () => {
    const world = createRelayWorld();
    const second = (await world.account({ devices: 2 })).devices[1]!;
    await unlist(world.storage, second);
    const link = world.link();
    link.device.say(authenticateMessage(second, await link.device.next('challenge')));
    expect((await link.device.ended).reason).toBe('token_rejected');
  });
});
