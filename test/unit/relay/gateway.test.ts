import { limits } from '@waxwing/protocol';
import type { Storage } from '@waxwing/storage';
import { describe, expect, it } from 'vitest';
import { bodyFor, submitMessage } from '../../support/relay-device.ts';
import { createRelayWorld, settle, until } from '../../support/relay-world.ts';

function slowStore() {
  const waiting: (() => void)[] = [];
  const wrap = (storage: Storage): Storage => ({
    ...storage,
    mailboxes: {
      ...storage.mailboxes,
      async submit(asked) {
        await new Promise<void>((resolve) => waiting.push(resolve));
        return storage.mailboxes.submit(asked);
      },
    },
  });
  return { waiting, wrap };
}

describe('an orderly stop', () => {
  it('tells every device to go away, each with another time within the spread, and closes', async () => {
    const world = createRelayWorld();
    const links = [];
    for (let i = 0; i < 40; i += 1) {
      const link = world.link();
      await link.device.authenticate((await world.account()).devices[0]);
      links.push(link);
    }
    await world.gateway.drain();
    const times = links.map(({ device }) => device.all('go_away').map(({ retryAfterMs }) => retryAfterMs));
    expect(times.every((told) => told.length === 1 && told[0]! >= 0 && told[0]! < 10_000)).toBe(true);
    expect(new Set(times.flat()).size).toBeGreaterThan(35);
    expect(Math.max(...times.flat()) - Math.min(...times.flat())).toBeGreaterThan(5_000);
    for (const { ends } of links) expect(ends).toEqual(['close going_away going_away']);
    expect(world.gateway.connections()).toBe(0);
    expect(world.runtime.timersSet).toBe(0);
  });

  it('answers what was submitted before it closes, and takes no more', async () => {
    const slow = slowStore();
    const world = createRelayWorld({ wrap: slow.wrap });
    const [alice] = (await world.account()).devices;
    const link = world.link();
    await link.device.authenticate(alice);
    const body = bodyFor([], alice, 'x');
    link.device.say(submitMessage(body, { n: 1 }));
    await until(() => slow.waiting.length === 1);
    const drained = world.gateway.drain();
    await link.device.next('go_away');
    link.device.say(submitMessage(body, { n: 2, oldest: 1 }));
    expect(await link.device.next('rejected')).toMatchObject({ request: 2, code: 'unavailable' });
    expect(link.ends).toEqual([]);
    slow.waiting[0]!();
    await drained;
    expect(link.device.all('accepted').map(({ n }) => n)).toEqual([1]);
    expect((await link.device.ended).code).toBe(4100);
    expect(slow.waiting).toHaveLength(1);
  });

  it('does not wait for ever: not for the store, and not for a device that does not read', async () => {
    const slow = slowStore();
    const world = createRelayWorld({ wrap: slow.wrap });
    const [alice] = (await world.account()).devices;
    const waits = world.link();
    await waits.device.authenticate(alice);
    waits.device.say(submitMessage(bodyFor([], alice, 'x'), { n: 1 }));
    const deaf = world.link();
    await deaf.device.authenticate((await world.account()).devices[0]);
    deaf.pause();
    const drained = world.gateway.drain();
    await world.runtime.advanceAsync(limits.requestTimeoutMs);
    await world.runtime.advanceAsync(limits.closeTimeoutMs);
    await drained;
    expect(deaf.ends.at(-1)).toBe('terminate');
    expect(waits.ends).toEqual(['close going_away going_away']);
  });

  it('closes who has not authenticated, and whoever comes after', async () => {
    const world = createRelayWorld();
    const early = world.link();
    await early.device.next('challenge');
    await world.gateway.drain();
    expect(world.gateway.draining).toBe(true);
    const late = world.link();
    await late.device.ended;
    expect(early.ends).toEqual(['close going_away going_away']);
    expect(late.ends).toEqual(['close going_away going_away']);
    await world.gateway.drain();
  });

  it('can be cut short: close ends everything at once', async () => {
    const slow = slowStore();
    const world = createRelayWorld({ wrap: slow.wrap });
    const [alice] = (await world.account()).devices;
    const link = world.link();
    await link.device.authenticate(alice);
    link.device.say(submitMessage(bodyFor([], alice, 'x'), { n: 1 }));
    await until(() => slow.waiting.length === 1);
    const drained = world.gateway.drain();
    await settle();
    expect(link.ends).toEqual([]);
    await world.gateway.close();
    await drained;
    expect(link.ends).toEqual(['close going_away going_away', 'terminate']);
  });
});

describe('the metrics', () => {
  it('count connections, submits by result and what was delivered', async () => {
    const world = createRelayWorld();
    const [alice] = (await world.account()).devices;
    const [bob] = (await world.account()).devices;
    const [from, to] = [world.link(), world.link()];
    await from.device.authenticate(alice);
    await to.device.authenticate(bob);
    await to.device.next('drained');
    const submit = submitMessage(bodyFor([bob], alice, 'x'), { n: 1 });
    from.device.say(submit, submit, submitMessage(Buffer.from([255]), { n: 1 }));
    await until(() => from.device.all('accepted').length === 2);
    await to.device.next('deliver');
    to.device.end();
    await settle();
    const text = await world.metrics.metrics();
    const length = to.device.all('deliver')[0]!.envelope.length;
    for (const line of [
      'waxwing_relay_connections 1',
      'waxwing_relay_devices 1',
      'waxwing_relay_closes_total{code="peer"} 1',
      'waxwing_relay_submits_total{kind="sequenced",result="accepted"} 1',
      'waxwing_relay_submits_total{kind="sequenced",result="duplicate"} 1',
      'waxwing_relay_submits_total{kind="sequenced",result="malformed"} 1',
      'waxwing_relay_delivered_entries_total 1',
      `waxwing_relay_delivered_bytes_total ${length}`,
      'waxwing_relay_drain_seconds_count 2',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
  });

  it('have no label that names anyone', async () => {
    const world = createRelayWorld();
    const names = new Set<string>();
    for (const metric of await world.metrics.getMetricsAsJSON()) {
      for (const { labels } of metric.values) for (const name of Object.keys(labels)) names.add(name);
    }
    expect([...names].filter((name) => !['code', 'reason', 'kind', 'result', 'le', 'quantile'].includes(name))).toEqual(
      [],
    );
  });
});
