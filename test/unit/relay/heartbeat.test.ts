import { limits } from '@waxwing/protocol';
import { describe, expect, it } from 'vitest';
import { createRelayWorld, settle, until } from '../../support/relay-world.ts';

describe('the heartbeat', () => {
  it('comes every heartbeatMs, to a device that answers', async () => {
    const world = createRelayWorld();
    const [device] = (await world.account()).devices;
    const link = world.link();
    await link.device.authenticate(device);
    for (let i = 1; i <= 10; i += 1) {
      await world.runtime.advanceAsync(limits.heartbeatMs);
      await settle();
      expect(link.device.all('heartbeat')).toHaveLength(i);
      link.device.say({ type: 'heartbeat' });
    }
    expect(link.ends).toEqual([]);
  });

  it('of a device that has gone silent is missed: the channel is terminated, no sooner than heartbeatLostMs', async () => {
    const world = createRelayWorld();
    const [device] = (await world.account()).devices;
    const link = world.link();
    await link.device.authenticate(device);
    await world.runtime.advanceAsync(limits.heartbeatLostMs);
    expect(link.ends).toEqual([]);
    await world.runtime.advanceAsync(limits.heartbeatMs / 2);
    expect(link.ends).toEqual(['close heartbeat_lost heartbeat_lost', 'terminate']);
    expect(world.gateway.connections()).toBe(0);
    expect(world.runtime.timersSet).toBe(0);
  });

  it('does not depend on the wall clock: a step of 25 hours loses no one', async () => {
    for (const hours of [25, -25]) {
      const world = createRelayWorld();
      const [device] = (await world.account()).devices;
      const link = world.link();
      await link.device.authenticate(device);
      world.runtime.stepClock(hours * 3_600_000);
      await world.runtime.advanceAsync(limits.heartbeatMs);
      expect(link.ends).toEqual([]);
    }
  });
});

describe('prekeys that run low', () => {
  it('are said in Ready', async () => {
    for (const oneTimeKeys of [limits.prekeysLowBelow - 1, limits.prekeysLowBelow]) {
      const world = createRelayWorld();
      const [device] = (await world.account({ oneTimeKeys })).devices;
      const ready = await world.link().device.authenticate(device);
      expect(ready.prekeysLow).toBe(oneTimeKeys < limits.prekeysLowBelow);
    }
  });

  it('while connected are told at a heartbeat, once', async () => {
    const world = createRelayWorld();
    const [device] = (await world.account({ oneTimeKeys: limits.prekeysLowBelow })).devices;
    const link = world.link().device;
    await link.authenticate(device);
    await world.runtime.advanceAsync(limits.heartbeatMs);
    expect(link.all('prekeys_low')).toEqual([]);
    await world.storage.prekeys.take(device.key, { oneTime: true });
    for (let i = 0; i < 4; i += 1) {
      await world.runtime.advanceAsync(limits.heartbeatMs);
      link.say({ type: 'heartbeat' });
    }
    await until(() => link.all('prekeys_low').length > 0);
    expect(link.all('prekeys_low')).toHaveLength(1);
  });
});

describe('a connection that has ended', () => {
  it('leaves no timer and no listener behind, however it ended', async () => {
    let listening = 0;
    const world = createRelayWorld({
      wrap: (storage) => ({
        ...storage,
        mailboxes: {
          ...storage.mailboxes,
          listen: (device, wake) => {
            listening += 1;
            const stop = storage.mailboxes.listen(device, wake);
            return () => {
              listening -= 1;
              stop();
            };
          },
        },
      }),
    });
    const [device] = (await world.account()).devices;
    const byPeer = world.link().device;
    await byPeer.authenticate(device);
    byPeer.end();
    const byRelay = world.link().device;
    await byRelay.authenticate(device);
    byRelay.sendRaw(Buffer.from([1, 2, 3]));
    await byRelay.ended;
    world.link().device.end();
    await settle();
    expect(world.gateway.connections()).toBe(0);
    expect(world.runtime.timersSet).toBe(0);
    expect(listening).toBe(0);
  });
});
