import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { limits, type Down } from '@waxwing/protocol';
import {
  acquainted,
  asksNobody,
  changeSequenced,
  deliversN,
  holesOf,
  keepBack,
  say,
  sayAll,
  shown,
  talk,
} from '../support/client-talk.ts';
import { createClientWorld, type ClientWorld, type TestClient } from '../support/client-world.ts';

let world: ClientWorld;
let alice: TestClient;
let bob: TestClient;

beforeEach(async () => {
  world = await createClientWorld();
  [alice, bob] = await acquainted(world);
});
afterEach(() => world.close());

describe('a gap', () => {
  test('holds later messages back at most two seconds while connected and drained, then is a hole that fills in place', async () => {
    const kept = keepBack(bob, 2);
    const inbox = bob.client.inbox();
    const began = world.runtime.clock.now();
    await sayAll(world, alice, bob, 'two', 'three');
    await world.run(limits.sequenceHoldMs - 100 - (world.runtime.clock.now() - began));
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho']);
    await world.run(200);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 awaiting sender]', 'three']);
    expect(holesOf(bob)).toMatchObject([{ count: 1, reason: 'awaiting sender' }]);
    kept.release(2);
    await world.settle();
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'two', 'three']);
    expect(bob.events.filter(({ type }) => type === 'holeFilled')).toHaveLength(1);
    const given: unknown[] = [];
    for await (const { text, late } of inbox) if (given.push([text, late]) === 3) break;
    expect(given).toEqual([
      ['hi', false],
      ['three', false],
      ['two', true],
    ]);
  });

  test('that closes in time is no hole, and the order is kept', async () => {
    const kept = keepBack(bob, 2);
    await sayAll(world, alice, bob, 'two', 'three');
    await world.run(1_000);
    kept.release(2);
    await world.run(5_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'two', 'three']);
    expect(holesOf(bob)).toEqual([]);
  });

  test('holds each message back at most two seconds, also where one gap follows another', async () => {
    keepBack(bob, 2, 4);
    await sayAll(world, alice, bob, 'two', 'three');
    await world.run(200);
    await sayAll(world, alice, bob, 'four', 'five');
    const began = world.runtime.clock.now();
    await world.run(limits.sequenceHoldMs + 50);
    expect(world.runtime.clock.now() - began).toBeLessThan(2_200);
    expect(await shown(world, bob, alice)).toEqual([
      'hi',
      'ho',
      '[1 awaiting sender]',
      'three',
      '[1 awaiting sender]',
      'five',
    ]);
  });

  test('is not given up before the mailbox has drained', async () => {
    await world.wait(bob.client.close());
    await sayAll(world, alice, bob, 'two', 'three');
    await world.reopen(bob);
    const kept: Down[] = [];
    bob.link.down = (down) => {
      if (down.type !== 'drained' && !deliversN(down, 2)) return [down];
      kept.push(down);
      return [];
    };
    bob.client.connect().catch(() => undefined);
    await world.until(() => kept.length === 2);
    await world.run(20_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho']);
    bob.link.say({ type: 'drained' });
    await world.run(1_500);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho']);
    await world.run(1_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 awaiting sender]', 'three']);
  });

  test('is not given up while the connection is down', async () => {
    keepBack(bob, 2);
    await sayAll(world, alice, bob, 'two', 'three');
    await world.run(1_000);
    bob.link.offline = true;
    bob.link.cut();
    await world.run(60_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho']);
    expect(holesOf(bob)).toEqual([]);
  });

  test('that an own submit of unknown outcome explains waits for it without limit', async () => {
    alice.link.down = (down) => (down.type === 'accepted' && down.n === 2 ? [] : [down]);
    const own = await say(world, alice, bob, 'mine');
    await world.wait((await say(world, bob, alice, 'yours')).reached('sent'));
    await world.run(10_000);
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'mine?']);
    expect(holesOf(alice)).toEqual([]);
    alice.link.down = (down) => [down];
    alice.link.cut();
    await world.wait(own.reached('sent'));
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'mine', 'yours']);
    expect(holesOf(alice)).toEqual([]);
  });
});

describe('mail that is gone', () => {
  test('expired: one hole of that reason, and what is later is shown', async () => {
    await world.wait(bob.client.close());
    await sayAll(world, alice, bob, 'a', 'b', 'c');
    await world.wait(alice.client.close());
    world.runtime.advance(limits.mailboxTtlMs + 1_000);
    await world.reopen(bob);
    await world.connect(bob);
    await world.run(3_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[3 expired]']);
    await world.reopen(alice);
    await world.connect(alice);
    await world.wait((await say(world, alice, bob, 'd')).reached('delivered'));
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[3 expired]', 'd']);
  });

  test('over quota: a hole of that reason', async () => {
    await world.wait(bob.client.close());
    await sayAll(world, alice, bob, 'a', 'b');
    await world.reopen(bob);
    bob.link.down = (down) => {
      if (down.type === 'ready') return [{ ...down, marks: [{ from: 1, to: 9, count: 2, reason: 'over_quota' }] }];
      return down.type === 'deliver' ? [] : [down];
    };
    await world.connect(bob);
    await world.run(3_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[2 over quota]']);
  });

  test('a very long gap is one hole, whatever its reason', async () => {
    bob.link.down = (down) => {
      const changed = changeSequenced((envelope) => {
        const { era, number } = envelope.sequence;
        return { ...envelope, sequence: { era, number: number + 1_000_000_000_000 } };
      })(down);
      return changed;
    };
    bob.link.say({ type: 'marks', marks: [{ from: 1, to: 9, count: 2, reason: 'expired' }] });
    await sayAll(world, alice, bob, 'far');
    await world.run(3_000);
    const { holes: kept } = await (await talk(world, bob, alice)).coverage();
    expect(kept).toHaveLength(1);
    expect((await shown(world, bob, alice)).at(-1)).toBe('far');
  });

  test('a store that was put back: the order goes on, and nothing is missing or shows twice', async () => {
    await sayAll(world, alice, bob, 'before');
    await world.run(500);
    await world.wait(bob.client.close());
    await sayAll(world, alice, bob, 'in the mailbox');
    await world.restart('restored');
    await world.until(() => alice.client.connection.getSnapshot().state === 'online');
    await sayAll(world, alice, bob, 'after');
    await world.reopen(bob);
    await world.connect(bob);
    await world.run(5_000);
    for (const [at, peer] of [[alice, bob] as const, [bob, alice] as const]) {
      expect(await shown(world, at, peer)).toEqual(['hi', 'ho', 'before', 'in the mailbox', 'after']);
      expect(holesOf(at)).toEqual([]);
      const { held } = await (await talk(world, at, peer)).coverage();
      expect(held.map(({ from, to }) => [from, to])).toEqual([
        [1, 4],
        [1, 1],
      ]);
    }
  });

  test('a mailbox that began anew: the hole says lost', async () => {
    asksNobody(bob);
    await world.wait(bob.client.close());
    await sayAll(world, alice, bob, 'gone');
    await world.restart('lost');
    await world.reopen(bob);
    await world.connect(bob);
    await world.until(() => alice.client.connection.getSnapshot().state === 'online');
    await sayAll(world, alice, bob, 'after');
    await world.run(5_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 lost]', 'after']);
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'gone', 'after']);
  });
});

test('two accepted places of one message: it is there once, moved, at the same place on both sides', async () => {
  alice.link.down = (down) => (down.type === 'accepted' ? [] : [down]);
  const twice = await say(world, alice, bob, 'twice');
  await world.until(() => bob.link.downs.some((down) => deliversN(down, 2)));
  await world.settle();
  alice.link.offline = true;
  await world.wait((await say(world, bob, alice, 'between')).reached('sent'));
  await world.run(200);
  expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'twice', 'between']);
  await world.restart('lost');
  alice.link.offline = false;
  alice.link.down = (down) => [down];
  await world.until(() => bob.client.connection.getSnapshot().state === 'online');
  await world.wait(twice.reached('sent'));
  await world.run(5_000);
  const places = async (at: TestClient, peer: TestClient) =>
    (await talk(world, at, peer))
      .history()
      .getSnapshot()
      .items.flatMap((item) => (item.kind === 'message' ? [[item.text, item.sequence]] : []));
  const atBob = await places(bob, alice);
  expect(atBob.map(([text]) => text)).toEqual(['hi', 'ho', 'between', 'twice']);
  const atAlice = await places(alice, bob);
  expect(atAlice.at(-1)).toEqual(atBob.at(-1));
});
