import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseDeviceId, type Deliver, type Down, type Submit } from '@waxwing/protocol';
import { putList } from '../support/client-second-device.ts';
import {
  acquainted,
  alerts,
  changeSequenced,
  deliversN,
  holesOf,
  keepBack,
  say,
  sayAll,
  shown,
  talk,
} from '../support/client-talk.ts';
import { contradictions } from '../../client-core/src/sync/witness.ts';
import { createClientWorld, type ClientWorld, type TestClient } from '../support/client-world.ts';

let world: ClientWorld;
let alice: TestClient;
let bob: TestClient;

beforeEach(async () => {
  world = await createClientWorld();
  [alice, bob] = await acquainted(world);
});
afterEach(() => world.close());

describe('delivered again', () => {
  /** The next connection says nothing of what was committed, so that the relay begins at the start. */
  const forgetAcks = (device: TestClient): void => {
    device.link.up = (up) => {
      if (up.type === 'ack' || up.type === 'heartbeat') return [];
      if (up.type !== 'authenticate') return [up];
      const { type, account, device: id, token, generations } = up;
      return [{ type, account, device: id, token, generations }];
    };
  };

  test('after a lost ack nothing shows twice, and what was committed does not go back', async () => {
    await world.wait(bob.client.close());
    await world.reopen(bob);
    forgetAcks(bob);
    await world.connect(bob);
    await sayAll(world, alice, bob, 'one', 'two', 'three');
    await world.run(1_000);
    const before = bob.store?.device.committed();
    bob.link.cut();
    await world.until(() => bob.client.connection.getSnapshot().state !== 'online');
    const lows: number[] = [];
    bob.link.down = (down) => {
      lows.push(bob.store?.device.committed()?.number ?? 0);
      return [down];
    };
    await world.until(() => bob.client.connection.getSnapshot().state === 'online');
    await world.run(1_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'one', 'two', 'three']);
    expect(Math.min(...lows)).toBe(before?.number);
    expect(bob.store?.device.committed()).toEqual(before);
  });

  test('only an earlier part is delivered again: what was committed does not go back', async () => {
    await world.wait(bob.client.close());
    await world.reopen(bob);
    await world.connect(bob);
    const seen: Deliver[] = [];
    bob.link.down = (down) => {
      if (down.type === 'deliver') seen.push(down);
      return [down];
    };
    await sayAll(world, alice, bob, 'one', 'two', 'three');
    await world.run(1_000);
    const before = bob.store?.device.committed();
    const [first] = seen;
    if (!first) throw new Error('a delivery');
    bob.link.say(first);
    await world.run(1_000);
    expect(bob.store?.device.committed()).toEqual(before);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'one', 'two', 'three']);
  });

  test('under a new position in another mailbox, the same ciphertext is a repeat and no hole', async () => {
    const seen: Deliver[] = [];
    bob.link.down = (down) => {
      if (down.type === 'deliver') seen.push(down);
      return [down];
    };
    await sayAll(world, alice, bob, 'one');
    await world.run(500);
    for (const [index, down] of seen.entries()) {
      bob.link.say({ ...down, position: { incarnation: Buffer.alloc(8, 4).toString('base64url'), number: index + 1 } });
    }
    await world.run(3_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'one']);
    expect(holesOf(bob)).toEqual([]);
    expect(alerts(bob)).toEqual([]);
  });

  test('the same ciphertext twice in one batch, at two places, is read once, is no hole and is an alert: no relay counts one message twice in an era', async () => {
    let twice: Down[] = [];
    bob.link.down = (down) => {
      if (!deliversN(down, 2) || down.type !== 'deliver') return [down];
      const { position } = down;
      const again = changeSequenced(({ sequence, ...envelope }) => ({
        ...envelope,
        sequence: { ...sequence, number: sequence.number + 1 },
      }))({ ...down, position: { ...position, number: position.number + 1 } });
      twice = [down, ...again];
      return twice;
    };
    await sayAll(world, alice, bob, 'one');
    await world.run(3_000);
    expect(twice).toHaveLength(2);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'one', `!${contradictions.order}`]);
    expect(holesOf(bob)).toEqual([]);
  });

  test('a number that the relay gives to two messages is an alert, and the second is not shown in place of the first', async () => {
    await sayAll(world, alice, bob, 'mine');
    await world.run(500);
    let twice = 0;
    bob.link.down = (down) => {
      if (down.type !== 'deliver' || !deliversN(down, 3)) return [down];
      const taken = changeSequenced((envelope) => ({ ...envelope, sequence: { ...envelope.sequence, number: 3 } }))(
        down,
      );
      const { position } = down;
      return taken.flatMap((one) => {
        twice += 1;
        return one.type === 'deliver' ? [one, { ...one, position: { ...position, number: position.number + 1 } }] : [];
      });
    };
    await sayAll(world, alice, bob, 'also number three');
    await world.run(3_000);
    expect(twice).toBe(1);
    expect((await shown(world, bob, alice)).slice(0, 3)).toEqual(['hi', 'ho', 'mine']);
    expect(alerts(bob)).toEqual(['two frames under one number']);
  });

  test('a position of an older incarnation trims nothing: what the relay has now all comes', async () => {
    await world.wait(bob.client.close());
    await sayAll(world, alice, bob, 'kept');
    await world.reopen(bob);
    bob.link.up = (up) =>
      up.type === 'authenticate'
        ? [{ ...up, committed: { incarnation: Buffer.alloc(8, 8).toString('base64url'), number: 99 } }]
        : [up];
    await world.connect(bob);
    await world.run(1_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'kept']);
  });
});

test('a message that the relay dates far in the future stands in its order, and is shown', async () => {
  for (const [text, serverTimeMs] of [
    ['year 2200', Date.UTC(2_200, 0)],
    ['no date', Number.MAX_SAFE_INTEGER],
    ['1970', 0],
  ] as const) {
    bob.link.down = changeSequenced((envelope) => ({ ...envelope, serverTimeMs }));
    await sayAll(world, alice, bob, text);
    await world.run(100);
  }
  bob.link.down = (down) => [down];
  await sayAll(world, alice, bob, 'today');
  await world.run(1_000);
  expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'year 2200', 'no date', '1970', 'today']);
  const items = (await talk(world, bob, alice)).history().getSnapshot().items;
  const dates = items.flatMap((item) => (item.kind === 'message' ? [item.serverTime, item.sentAt] : []));
  expect(dates.every((date) => !Number.isNaN(date.getTime()))).toBe(true);
  expect(bob.client.conversations().getSnapshot().items[0]?.lastMessage?.text).toBe('today');
});

test('a device that leaves the list while its message is read loses nothing', async () => {
  const own: Submit[] = [];
  bob.link.up = (up) => {
    if (up.type !== 'submit' || own.length > 0) return [up];
    own.push(up);
    return [];
  };
  await say(world, bob, alice, 'makes this device ask for the list');
  let asked = 0;
  let isRead = false;
  bob.http = (request, send) => {
    asked += 1;
    return send(request);
  };
  bob.beforeDecrypt = async () => {
    bob.beforeDecrypt = () => undefined;
    await putList(world, alice, (list) => ({
      devices: list.devices.map((device) => ({ ...device, device: parseDeviceId(5), addedIn: list.version })),
    }));
    const request = own[0]?.request ?? 0;
    bob.link.say({ type: 'rejected', request, code: 'mismatch', retryAfterMs: 0, mismatches: [] });
    while (asked < 2) await new Promise((resolve) => setImmediate(resolve));
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    isRead = true;
  };
  await say(world, alice, bob, 'last words');
  await world.until(() => isRead);
  await world.run(100);
  expect((await shown(world, bob, alice)).slice(0, 4)).toEqual(['hi', 'ho', '!device added', 'last words']);
  expect(alerts(bob)).toEqual([]);
});

test('a link that goes down while its mail is being read is not said to be online', async () => {
  await world.wait(bob.client.close());
  await sayAll(world, alice, bob, 'one', 'two');
  await world.reopen(bob);
  let go: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (go = resolve));
  bob.beforeDecrypt = () => gate;
  bob.client.connect().catch(() => undefined);
  await world.until(() => bob.link.downs.some((down) => down.type === 'drained'));
  bob.link.downs.length = 0;
  bob.link.offline = true;
  bob.link.cut();
  await world.settle();
  go();
  await world.run(100);
  expect(bob.client.connection.getSnapshot().state).not.toBe('online');
  bob.link.offline = false;
  await world.until(() => bob.client.connection.getSnapshot().state === 'online');
  expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'one', 'two']);
});

test('eras and places survive the file: reopened, the same is shown', async () => {
  keepBack(bob, 2);
  await sayAll(world, alice, bob, 'two', 'three');
  await world.run(3_000);
  const before = await shown(world, bob, alice);
  await world.reopen(bob);
  expect(await shown(world, bob, alice)).toEqual(before);
});
