import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { closeCodes, limits, parseDeviceId } from '@waxwing/protocol';
import { StoreFullError, traceCauses, type MessageTrace } from '@waxwing/client-core';
import type { Store } from '../../client-core/src/history/store.ts';
import { rotateIdentity } from '../support/client-rotation.ts';
import { addDevice } from '../support/client-second-device.ts';
import {
  acquainted,
  asksNobody,
  changeEnvelope,
  changeSequenced,
  isSequenced,
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

const CANARY = 'canary-of-the-text';

/** What is told of a message: no content, the same after JSON, one of the table's sentences. */
async function explained(device: TestClient, id: string): Promise<MessageTrace> {
  const trace = await device.client.explain(id);
  const json = JSON.stringify(trace);
  expect(json).not.toContain(CANARY);
  expect(JSON.parse(json)).toEqual(trace);
  expect(trace.nextStep).toBe(traceCauses[trace.cause]);
  expect(trace).toMatchObject({ id, since: new Date(trace.since).toISOString() });
  return trace;
}

/** The ids of the holes that a device shows. */
async function holes(at: TestClient, peer: TestClient): Promise<string[]> {
  const { items } = (await talk(world, at, peer)).history().getSnapshot();
  return items.flatMap((item) => (item.kind === 'hole' ? [item.id] : []));
}

async function theHole(at: TestClient, peer: TestClient): Promise<string> {
  const [id, ...more] = await holes(at, peer);
  if (id === undefined || more.length > 0) throw new Error('one hole');
  return id;
}

const soon = (trace: MessageTrace): number => Date.parse(trace.nextTryAt ?? '') - world.runtime.clock.now();

describe('a message that does not leave is explained', () => {
  test('while there is no connection, and on a device that was never told to connect', async () => {
    bob.link.offline = true;
    bob.link.cut();
    await world.run(1_000);
    const sent = await say(world, bob, alice, CANARY);
    const trace = await explained(bob, sent.id);
    expect(trace).toMatchObject({ state: 'queued', cause: 'offline', tries: 0 });
    expect(trace.codes[0]).toBe('offline');
    expect(soon(trace)).toBeGreaterThan(0);
    await world.reopen(bob);
    expect(await explained(bob, sent.id)).toMatchObject({ cause: 'not_connected', codes: ['offline'] });
    bob.link.offline = false;
    await world.connect(bob);
    await world.run(8_000);
    expect(await explained(bob, sent.id)).toMatchObject({ state: 'delivered', cause: 'none', codes: [] });
  });

  test("where the other side's devices changed, until their keys are here; so is what waits behind it", async () => {
    await addDevice(world, alice);
    bob.http = () => Promise.reject(new Error('down'));
    const sent = await say(world, bob, alice, CANARY);
    await world.run(5_000);
    const trace = await explained(bob, sent.id);
    expect(trace).toMatchObject({ state: 'queued', cause: 'device_list_changed', codes: ['mismatch'] });
    expect(trace.tries).toBeGreaterThan(0);
    expect(soon(trace)).toBeGreaterThan(0);
    bob.http = (request, send) => send(request);
    await world.run(10_000);
    expect(await explained(bob, sent.id)).toMatchObject({ state: 'delivered', cause: 'none', tries: 0 });
  });

  test("where the other side's key has changed and the person has not accepted it, also without a connection", async () => {
    bob.identityPolicy = 'block';
    await world.reopen(bob);
    await world.connect(bob);
    await rotateIdentity(world, alice, bob);
    await world.connect(alice);
    await sayAll(world, alice, bob, 'under another key');
    await world.run(1_000);
    const sent = await say(world, bob, alice, CANARY);
    await world.run(5_000);
    const trace = await explained(bob, sent.id);
    expect(trace).toMatchObject({ state: 'queued', cause: 'identity_changed', codes: ['identity changed'], tries: 0 });
    await world.reopen(bob);
    expect(await explained(bob, sent.id)).toEqual(trace);
    await world.wait(bob.client.trust.accept(alice.client.account));
    await world.connect(bob);
    await world.run(10_000);
    expect(await explained(bob, sent.id)).toMatchObject({ state: 'delivered', cause: 'none' });
  });

  test('where the disk is full, also before it can connect', async () => {
    const disk = { full: false };
    const onDisk = (store: Store): Store => ({
      ...store,
      transaction<T>(work: () => T): T {
        if (disk.full) throw new StoreFullError();
        return store.transaction(work);
      },
    });
    await world.reopen(bob, onDisk);
    const sent = await say(world, bob, alice, CANARY);
    disk.full = true;
    const connecting = bob.client.connect();
    await world.run(5_000);
    expect(await explained(bob, sent.id)).toMatchObject({ state: 'queued', cause: 'disk_full', codes: ['store_full'] });
    disk.full = false;
    await world.wait(connecting);
    const second = await say(world, bob, alice, CANARY);
    await world.wait(second.reached('sent'));
    bob.link.up = (up) => {
      disk.full = up.type === 'submit';
      return [up];
    };
    const third = await say(world, bob, alice, CANARY);
    await world.run(5_000);
    expect(await explained(bob, third.id)).toMatchObject({ state: 'queued', cause: 'disk_full' });
    bob.link.up = (up) => [up];
    disk.full = false;
    await world.wait(third.reached('sent'));
    await world.run(8_000);
    expect(await explained(bob, third.id)).toMatchObject({ state: 'delivered', cause: 'none' });
  });

  test('as waiting for the other side, once the relay has it', async () => {
    await world.wait(alice.client.close());
    const sent = await say(world, bob, alice, CANARY);
    await world.wait(sent.reached('sent'));
    expect(await explained(bob, sent.id)).toMatchObject({ state: 'sent', cause: 'awaiting_delivery', tries: 0 });
  });

  test('where another program took the device over', async () => {
    bob.link.cut(closeCodes.displaced, 'displaced');
    await world.settle();
    const sent = await say(world, bob, alice, CANARY);
    expect(await explained(bob, sent.id)).toMatchObject({ cause: 'displaced', codes: ['displaced'], tries: 0 });
    await world.connect(bob);
    await world.wait(sent.reached('sent'));
  });

  test('where the server lets the device in no more, or only a newer copy of it', async () => {
    const sent = await say(world, bob, alice, 'sent');
    await world.wait(sent.reached('sent'));
    bob.link.cut(closeCodes.device_removed, 'device_removed');
    await world.settle();
    const kept = await say(world, bob, alice, CANARY);
    expect(await explained(bob, kept.id)).toMatchObject({
      cause: 'not_admitted',
      codes: ['needs-auth', 'device_removed'],
    });
    await world.connect(bob);
    await world.run(1_000);
    bob.link.cut(closeCodes.cloned, 'cloned');
    await world.settle();
    const cloned = await say(world, bob, alice, CANARY);
    expect(await explained(bob, cloned.id)).toMatchObject({ cause: 'cloned', codes: ['cloned'] });
  });

  test('where the key server gives no keys, with what is behind it', async () => {
    const carol = await world.create();
    const conversation = await talk(world, bob, carol);
    bob.http = () => Promise.reject(new Error('down'));
    const [first, second] = [await conversation.send({ text: CANARY }), await conversation.send({ text: CANARY })];
    await world.run(5_000);
    for (const { id } of [first, second]) {
      expect(await explained(bob, id)).toMatchObject({
        state: 'queued',
        cause: 'keys_unavailable',
        codes: ['no_keys'],
      });
    }
    expect((await explained(bob, first.id)).tries).toBeGreaterThan(1);
    bob.http = (request, send) => send(request);
    await world.wait(second.reached('sent'));
  });

  test.each(['rate_limited', 'bad_recipients'] as const)('where the relay answers %s', async (code) => {
    bob.link.up = (up) => {
      if (up.type !== 'submit') return [up];
      bob.link.say({ type: 'rejected', request: up.request, code, retryAfterMs: 5_000, mismatches: [] });
      return [];
    };
    const sent = await say(world, bob, alice, CANARY);
    await world.run(1_000);
    const trace = await explained(bob, sent.id);
    if (code === 'rate_limited') {
      expect(trace).toMatchObject({ state: 'queued', cause: 'relay_busy', codes: [code], tries: 1 });
      expect(soon(trace)).toBeGreaterThanOrEqual(4_000);
    } else {
      expect(trace).toMatchObject({ cause: 'refused', codes: [code] });
    }
    bob.link.up = (up) => [up];
    await world.run(20_000);
    if (code !== 'rate_limited') {
      expect(await explained(bob, sent.id)).toMatchObject({ state: 'failed', cause: 'refused', codes: [code] });
      await sent.retry();
    }
    await world.run(10_000);
    expect(await explained(bob, sent.id)).toMatchObject({ state: 'delivered', cause: 'none' });
  });

  test('as on its way, as taken back while that is not sure, and as unknown when it is gone', async () => {
    bob.link.up = (up) => (up.type === 'submit' ? [] : [up]);
    const sent = await say(world, bob, alice, CANARY);
    await world.run(100);
    expect(await explained(bob, sent.id)).toMatchObject({ state: 'queued', cause: 'sending', codes: [], tries: 0 });
    const cancelled = sent.cancel();
    await world.run(100);
    expect(await explained(bob, sent.id)).toMatchObject({ cause: 'taking_back' });
    bob.link.up = (up) => [up];
    bob.link.cut();
    expect(await world.wait(cancelled)).toBe(true);
    await expect(bob.client.explain(sent.id)).rejects.toMatchObject({ code: 'unknown_message', retryable: false });
  });
});

describe('a message that is missing is explained by its hole', () => {
  test('where it expired at the relay, and by what came where it came late', async () => {
    asksNobody(bob);
    await world.wait(bob.client.close());
    await sayAll(world, alice, bob, CANARY);
    await world.wait(alice.client.close());
    world.runtime.advance(limits.mailboxTtlMs + 1_000);
    await world.reopen(bob);
    await world.connect(bob);
    await world.run(5_000);
    const id = await theHole(bob, alice);
    const trace = await explained(bob, id);
    expect(trace).toMatchObject({ state: 'missing', cause: 'expired', codes: ['expired'] });
    expect(soon(trace)).toBeLessThanOrEqual(limits.repairMaxMs);
    bob.alterFrame = (bytes) => bytes;
    await world.reopen(alice);
    await world.connect(alice);
    for (let hours = 0; hours < 4 && (await holes(bob, alice)).length > 0; hours += 1)
      await world.run(limits.repairMaxMs / 2);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', CANARY]);
    expect(await explained(bob, id)).toMatchObject({ state: 'received', cause: 'none', codes: [] });
  });

  test('where it cannot be decrypted', async () => {
    asksNobody(bob);
    bob.link.down = changeEnvelope(isSequenced, (envelope) => {
      if (envelope.n !== 2) return envelope;
      const ciphertext = Buffer.from(envelope.ciphertext);
      ciphertext.writeUInt8(ciphertext.readUInt8(50) ^ 1, 50);
      return { ...envelope, ciphertext };
    });
    await sayAll(world, alice, bob, CANARY, 'whole');
    await world.run(20_000);
    const trace = await explained(bob, await theHole(bob, alice));
    expect(trace).toMatchObject({ state: 'missing', cause: 'undecryptable', codes: ['undecryptable'] });
    expect(trace.tries).toBeGreaterThan(0);
    expect(soon(trace)).toBeGreaterThan(0);
  });

  test('where it is of a device that its account does not list', async () => {
    bob.link.down = changeSequenced(
      (envelope) => ({ ...envelope, sender: { ...envelope.sender, device: parseDeviceId(5) } }),
      2,
    );
    await sayAll(world, alice, bob, CANARY, 'next');
    await world.run(3_000);
    const id = await theHole(bob, alice);
    expect(await explained(bob, id)).toMatchObject({ cause: 'unlisted_device', codes: ['unlisted device'], tries: 0 });
  });

  test('and by the message that stands there, where one came late', async () => {
    asksNobody(bob);
    const kept = keepBack(bob, 2);
    await sayAll(world, alice, bob, CANARY, 'next');
    await world.run(5_000);
    const id = await theHole(bob, alice);
    expect(await explained(bob, id)).toMatchObject({ state: 'missing', cause: 'awaiting_sender' });
    kept.release(2);
    await world.run(1_000);
    expect(await explained(bob, id)).toMatchObject({ state: 'received', cause: 'late' });
  });
});

test('an id of nothing here is a coded error', async () => {
  const ids = [
    '',
    'x',
    'hole:1',
    'hole:9.9.9',
    'hole:1.0.1',
    'hole:1.1.n9',
    'alert:1',
    '01890000-0000-7000-8000-000000000001',
  ];
  for (const id of ids) await expect(bob.client.explain(id)).rejects.toMatchObject({ code: 'unknown_message' });
});

test('every cause has one plain sentence', () => {
  for (const text of Object.values(traceCauses)) expect(text).toMatch(/^[A-Z][^.]*\.$/);
});

test('a closed client explains nothing', async () => {
  await world.wait(bob.client.close());
  await expect(bob.client.explain('x')).rejects.toMatchObject({ code: 'closed' });
});
