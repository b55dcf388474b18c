import { decodeEnvelope, limits, type Down } from '@waxwing/protocol';
import type { Storage } from '@waxwing/storage';
import { describe, expect, it } from 'vitest';
import { authenticateMessage, bodyFor, submitMessage } from '../../support/relay-device.ts';
import { createRelayWorld, settle, until } from '../../support/relay-world.ts';

/** Two devices of two accounts; `fill` puts messages of this many bytes into the second one's mailbox. */
async function pair(wrap?: (storage: Storage) => Storage) {
  const world = createRelayWorld(wrap ? { wrap } : {});
  const [alice] = (await world.account()).devices;
  const [bob] = (await world.account()).devices;
  const sender = world.link().device;
  await sender.authenticate(alice);
  let n = 0;
  const fill = async (count: number, bytes = 100): Promise<void> => {
    for (let i = 0; i < count; i += 1) {
      n += 1;
      sender.say(submitMessage(bodyFor([bob], alice, bytes), { n }));
      await sender.next('accepted');
    }
  };
  return { world, alice, bob, sender, fill };
}

const numbers = (downs: readonly Down[]): number[] =>
  downs.flatMap((down) => (down.type === 'deliver' ? [down.position.number] : []));

describe('the mailbox', () => {
  it('drains in order, each entry once, and Drained never precedes what was committed before the connection', async () => {
    const { world, bob, fill } = await pair();
    await fill(200);
    const link = world.link().device;
    const ready = await link.authenticate(bob);
    await link.next('drained');
    const before = link.seen.slice(
      0,
      link.seen.findIndex((down) => down.type === 'drained'),
    );
    expect(numbers(before)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
    const envelope = decodeEnvelope(link.all('deliver')[0]!.envelope);
    expect(envelope.ciphertext.length).toBe(100);
    expect(link.all('deliver').every(({ position }) => position.incarnation === ready.incarnation)).toBe(true);
  });

  it('what is committed while it drains comes too, and Drained still comes after all of before', async () => {
    const { world, bob, fill } = await pair();
    await fill(80);
    const link = world.link().device;
    link.say(authenticateMessage(bob, await link.next('challenge')));
    await Promise.all([fill(40), link.next('drained')]);
    await until(() => link.all('deliver').length === 120);
    const drainedAt = link.seen.findIndex((down) => down.type === 'drained');
    expect(numbers(link.seen.slice(0, drainedAt)).slice(0, 80)).toEqual(Array.from({ length: 80 }, (_, i) => i + 1));
    expect(numbers(link.seen)).toEqual(Array.from({ length: 120 }, (_, i) => i + 1));
  });

  it('is live afterwards: a new message comes without being asked for', async () => {
    const { world, bob, fill } = await pair();
    const link = world.link().device;
    await link.authenticate(bob);
    await link.next('drained');
    await fill(1);
    expect((await link.next('deliver')).position.number).toBe(1);
    expect(link.all('drained')).toHaveLength(1);
  });

  it('begins behind the committed position, and trims up to it', async () => {
    const { world, bob, fill } = await pair();
    await fill(10);
    const first = world.link().device;
    const { incarnation } = await first.authenticate(bob);
    await first.next('drained');
    first.end();
    const second = world.link().device;
    await second.authenticate(bob, { committed: { incarnation, number: 7 } });
    await second.next('drained');
    expect(numbers(second.seen)).toEqual([8, 9, 10]);
    second.end();
    const third = world.link().device;
    await third.authenticate(bob);
    await third.next('drained');
    expect(numbers(third.seen)).toEqual([8, 9, 10]);
  });

  it('is trimmed by an ack, and acks of one turn reach the store as few', async () => {
    const acked: number[] = [];
    const { world, bob, fill } = await pair((storage) => ({
      ...storage,
      mailboxes: {
        ...storage.mailboxes,
        ack: (device, committed) => {
          acked.push(committed.number);
          return storage.mailboxes.ack(device, committed);
        },
      },
    }));
    await fill(50);
    const link = world.link().device;
    const { incarnation } = await link.authenticate(bob);
    await link.next('drained');
    link.say(
      ...Array.from({ length: 50 }, (_, i) => ({ type: 'ack', committed: { incarnation, number: i + 1 } }) as const),
    );
    await settle();
    expect(acked.at(-1)).toBe(50);
    expect(acked.length).toBeLessThanOrEqual(2);
    expect((await world.storage.mailboxes.read(bob.key, 0, { entries: 99, bytes: 1e6 })).entries).toEqual([]);
  });
});

describe('the window', () => {
  it('never has more than deliverWindowBytes unacked, and everything arrives as acks come', async () => {
    const { world, bob, fill } = await pair();
    const sizes = [90_000, 10, 50_000, 96 * 1_024, 20_000, 96 * 1_024, 96 * 1_024, 70_000, 3_000, 96 * 1_024];
    for (const size of sizes) await fill(1, size);
    const link = world.link().device;
    const { incarnation } = await link.authenticate(bob);
    let committed = 0;
    while (committed < sizes.length) {
      await settle();
      const open = link.all('deliver').filter(({ position }) => position.number > committed);
      const bytes = open.reduce((sum, { envelope }) => sum + envelope.length, 0);
      expect(bytes).toBeLessThanOrEqual(limits.deliverWindowBytes);
      expect(open.length).toBeGreaterThan(0);
      committed += 1;
      link.say({ type: 'ack', committed: { incarnation, number: committed } });
    }
    await link.next('drained');
    expect(numbers(link.seen)).toEqual(sizes.map((_, index) => index + 1));
  });

  it('that is full stops the reading of the mailbox', async () => {
    let reads = 0;
    const { world, bob, fill } = await pair((storage) => ({
      ...storage,
      mailboxes: {
        ...storage.mailboxes,
        read: (...args) => {
          reads += 1;
          return storage.mailboxes.read(...args);
        },
      },
    }));
    await fill(20, 30_000);
    await world.link().device.authenticate(bob);
    await settle();
    const before = reads;
    await fill(5, 30_000);
    await settle();
    expect(reads).toBe(before);
  });
});

describe('a device that does not read', () => {
  it('holds little memory, and is terminated after stuckSocketMs', async () => {
    const { world, bob, fill } = await pair();
    await fill(100, 10_000);
    const link = world.link();
    link.device.say(authenticateMessage(bob, await link.device.next('challenge')));
    link.pause();
    await settle();
    await fill(20, 10_000);
    await settle();
    // What the buffer has room for, and the one envelope that goes over it.
    expect(link.peak()).toBeLessThan(limits.socketBufferBytes + 10_000 + 1_024);
    expect(link.buffered()).toBeGreaterThan(limits.socketBufferBytes);
    await world.runtime.advanceAsync(limits.stuckSocketMs - 1);
    expect(link.ends).toEqual([]);
    await world.runtime.advanceAsync(1);
    expect(link.ends).toEqual(['close slow_reader slow_reader', 'terminate']);
    expect(link.buffered()).toBe(0);
  });

  it('but then reads again, gets the rest and stays', async () => {
    const { world, bob, fill } = await pair();
    await fill(5, 30_000);
    const link = world.link();
    link.device.say(authenticateMessage(bob, await link.device.next('challenge')));
    link.pause();
    await settle();
    expect(link.buffered()).toBeGreaterThan(limits.socketBufferBytes);
    await world.runtime.advanceAsync(limits.stuckSocketMs - 1);
    link.resume();
    await until(() => numbers(link.device.seen).length === 5);
    link.device.say({ type: 'heartbeat' });
    await world.runtime.advanceAsync(limits.stuckSocketMs);
    expect(link.ends).toEqual([]);
  });

  it('and asks on and on is closed before its answers fill the memory, and does not hold on to them', async () => {
    const { world, bob } = await pair();
    const link = world.link();
    await link.device.authenticate(bob);
    await link.device.next('drained');
    link.pause();
    for (let i = 0; i < 400 && link.ends.length === 0; i += 1) {
      link.device.say(...Array.from({ length: 200 }, (_, k) => ({ type: 'heads', request: k, handles: [] }) as const));
      await settle(2);
    }
    expect(link.ends).toEqual(['close rate_limited rate_limited']);
    expect(link.peak()).toBeLessThan(limits.socketBufferMaxBytes);
    await world.runtime.advanceAsync(limits.closeTimeoutMs);
    expect(link.ends.at(-1)).toBe('terminate');
    expect(link.buffered()).toBe(0);
  });
});

describe('a lost wake-up', () => {
  const deaf = (storage: Storage): Storage => ({
    ...storage,
    mailboxes: { ...storage.mailboxes, listen: () => () => undefined },
  });

  it.each(['relay', 'device'])('is found at the heartbeat of the %s', async (side) => {
    const { world, bob, fill } = await pair(deaf);
    const link = world.link().device;
    const { incarnation } = await link.authenticate(bob);
    await link.next('drained');
    await fill(3);
    await settle();
    expect(numbers(link.seen)).toEqual([]);
    if (side === 'relay') await world.runtime.advanceAsync(limits.heartbeatMs);
    else link.say({ type: 'heartbeat', committed: { incarnation, number: 0 } });
    await until(() => numbers(link.seen).length === 3);
  });
});

describe('marks', () => {
  it('of what expired before come with Ready', async () => {
    const { world, bob, fill } = await pair();
    await fill(3);
    world.runtime.stepClock(limits.mailboxTtlMs + 1);
    const link = world.link().device;
    const ready = await link.authenticate(bob);
    await link.next('drained');
    expect(ready.marks).toEqual([{ from: 1, to: 3, count: 3, reason: 'expired' }]);
    expect(link.all('marks')).toEqual([]);
    expect(numbers(link.seen)).toEqual([]);
  });

  it('met while reading come before what follows them, each once', async () => {
    const { world, bob, fill } = await pair();
    await fill(12, 30_000);
    const link = world.link();
    const { incarnation } = await link.device.authenticate(bob);
    await settle();
    const last = numbers(link.device.seen).at(-1) ?? 0;
    expect(last).toBeGreaterThan(0);
    expect(last).toBeLessThan(12);
    world.runtime.stepClock(limits.mailboxTtlMs + 1);
    await fill(1);
    link.device.say({ type: 'ack', committed: { incarnation, number: last } });
    for (let i = 0; i < 3; i += 1) {
      await world.runtime.advanceAsync(limits.heartbeatMs);
      link.device.say({ type: 'heartbeat' });
    }
    const mark = { from: 1, to: 12, count: 12, reason: 'expired' };
    expect(link.device.all('marks')).toEqual([{ type: 'marks', marks: [mark] }]);
    const at = link.device.seen.findIndex((down) => down.type === 'marks');
    expect(numbers(link.device.seen.slice(at))).toEqual([13]);
  });
});

describe('a mailbox of another incarnation', () => {
  it('named when connecting is said in Ready, and read from its start', async () => {
    const { world, bob, fill } = await pair();
    await fill(2);
    const link = world.link().device;
    const ready = await link.authenticate(bob, { committed: { incarnation: 'AAAAAAAAAAA', number: 90 } });
    expect(ready.mailboxRestarted).toBe(true);
    await link.next('drained');
    expect(numbers(link.seen)).toEqual([1, 2]);
  });

  it('named in an ack trims nothing and is answered', async () => {
    const { world, bob, fill } = await pair();
    await fill(2);
    const link = world.link().device;
    const { incarnation } = await link.authenticate(bob);
    await link.next('drained');
    link.say({ type: 'ack', committed: { incarnation: 'AAAAAAAAAAA', number: 90 } });
    expect((await link.next('mailbox_restarted')).incarnation).toBe(incarnation);
    const page = await world.storage.mailboxes.read(bob.key, 0, { entries: 9, bytes: 1e6 });
    expect(page.entries).toHaveLength(2);
    expect(numbers(link.seen)).toEqual([1, 2]);
  });

  it('that comes into being under a connection is read from its start', async () => {
    const { world, bob, fill } = await pair();
    await fill(2);
    const link = world.link().device;
    const { incarnation } = await link.authenticate(bob);
    await link.next('drained');
    await world.storage.mailboxes.drop(bob.key);
    await fill(1);
    link.say({ type: 'ack', committed: { incarnation, number: 2 } });
    const told = await link.next('mailbox_restarted');
    expect(told.incarnation).not.toBe(incarnation);
    await until(() => link.all('deliver').some(({ position }) => position.incarnation === told.incarnation));
    expect(link.all('deliver').at(-1)!.position).toEqual({ incarnation: told.incarnation, number: 1 });
  });
});

describe('a store that fails', () => {
  it('in a read or an ack is asked again, and the connection stays', async () => {
    let failures = 0;
    const flaky =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      (...args: A): Promise<R> => {
        failures += 1;
        return failures % 2 === 1 ? Promise.reject(new Error('the store is away')) : call(...args);
      };
    const { world, bob, fill } = await pair((storage) => ({
      ...storage,
      mailboxes: {
        ...storage.mailboxes,
        read: flaky((...args: Parameters<Storage['mailboxes']['read']>) => storage.mailboxes.read(...args)),
        ack: flaky((...args: Parameters<Storage['mailboxes']['ack']>) => storage.mailboxes.ack(...args)),
      },
    }));
    await fill(5);
    const link = world.link();
    link.device.say(authenticateMessage(bob, await link.device.next('challenge')));
    const { incarnation } = await link.device.next('ready');
    for (let i = 0; i < 10; i += 1) await world.runtime.advanceAsync(limits.storeRetryMs);
    expect(numbers(link.device.seen)).toEqual([1, 2, 3, 4, 5]);
    link.device.say({ type: 'ack', committed: { incarnation, number: 5 } });
    for (let i = 0; i < 4; i += 1) await world.runtime.advanceAsync(limits.storeRetryMs);
    expect((await world.storage.mailboxes.open(bob.key)).after).toBe(0);
    expect(link.ends).toEqual([]);
    expect(link.device.all('drained')).toHaveLength(1);
  });

  it('while connecting closes with a code that means: try again', async () => {
    for (const part of ['deviceList', 'claimGeneration'] as const) {
      const world = createRelayWorld({
        wrap: (storage) => ({
          ...storage,
          directory: { ...storage.directory, [part]: () => Promise.reject(new Error('away')) },
        }),
      });
      const [device] = (await world.account()).devices;
      const link = world.link().device;
      link.say(authenticateMessage(device, await link.next('challenge')));
      expect(await link.ended).toEqual({ code: 4103, reason: 'unavailable' });
    }
  });
});
