import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  decodeFrame,
  decodeReceipt,
  encodeFrame,
  encodeReceipt,
  frameKinds,
  limits,
  parseDeviceId,
  parseHandle,
  type Watermark,
} from '@waxwing/protocol';
import type { SentMessage } from '@waxwing/client-core';
import { acquainted, alerts, asksNobody, keepBack, say, shown, talk } from '../support/client-talk.ts';
import { createClientWorld, type ClientWorld, type TestClient } from '../support/client-world.ts';

let world: ClientWorld;
let alice: TestClient;
let bob: TestClient;

beforeEach(async () => {
  world = await createClientWorld();
  [alice, bob] = await acquainted(world);
});
afterEach(() => world.close());

const state = ({ status }: SentMessage): string => status.getSnapshot().state;

async function sayAll(...texts: string[]): Promise<SentMessage[]> {
  const all: SentMessage[] = [];
  for (const text of texts) all.push(await say(world, alice, bob, text));
  for (const sent of all) await world.wait(sent.reached('sent'));
  await world.run(100);
  return all;
}

/** What Bob's list of conversations says. */
function summary(device: TestClient = bob, peer: TestClient = alice) {
  const { items } = device.client.conversations().getSnapshot();
  return items.find((item) => item.peer === peer.client.account);
}

const markRead = async (upTo?: SentMessage): Promise<void> =>
  world.wait((await talk(world, bob, alice)).markRead(upTo?.id));

/** The read watermarks that Bob made. */
const reads = (): Watermark[] =>
  bob.frames
    .map((bytes) => decodeFrame(bytes))
    .flatMap(({ kind, body }) => (kind === frameKinds.receipt ? decodeReceipt(body) : []))
    .filter(({ kind }) => kind === 'read');

describe('what is marked read', () => {
  test('is read with its sender, who waited for that, and nothing before that is', async () => {
    const all = await sayAll('one', 'two', 'three');
    await world.run(10_000);
    expect(all.map(state)).toEqual(['delivered', 'delivered', 'delivered']);
    await markRead(all[1]);
    for (const sent of all.slice(0, 2)) {
      await world.wait(sent.reached('read'));
      await world.wait(sent.reached('delivered'));
    }
    await world.run(10_000);
    expect(all.map(state)).toEqual(['read', 'read', 'delivered']);
    await markRead();
    await world.run(5_000);
    expect(all.map(state)).toEqual(['read', 'read', 'read']);
  });

  test('is told once: marking again, further back, or what is empty, tells nothing', async () => {
    const carol = await world.online();
    const all = await sayAll('one', 'two');
    await markRead();
    await world.run(10_000);
    expect(reads()).toHaveLength(1);
    await markRead();
    await markRead(all[0]);
    await world.wait((await talk(world, bob, carol)).markRead());
    await world.run(60_000);
    expect(reads()).toHaveLength(1);
    expect(all.map(state)).toEqual(['read', 'read']);
  });

  test('without a connection is told at the next one, also by another process', async () => {
    const all = await sayAll('one');
    await world.run(10_000);
    bob.link.offline = true;
    bob.link.cut();
    await world.settle();
    await markRead();
    expect(summary()?.unread).toBe(0);
    await world.reopen(bob);
    bob.link.offline = false;
    await world.connect(bob);
    await world.run(5_000);
    expect(all.map(state)).toEqual(['read']);
  });

  test('while a receipt is on its way is told after it', async () => {
    const [first] = await sayAll('first');
    await markRead();
    let held = 0;
    bob.link.up = (up) => {
      if (up.type !== 'direct_submit' || held > 0) return [up];
      held += 1;
      world.runtime.timers.after(10_000, () => bob.link.cut());
      return [];
    };
    await world.run(4_000);
    expect(held).toBe(1);
    const [second] = await sayAll('second');
    await markRead();
    await world.run(30_000);
    expect([first, second].map((sent) => sent && state(sent))).toEqual(['read', 'read']);
  });

  test('is told no more often than twice a second, however often something is marked', async () => {
    const all = await sayAll(...Array.from({ length: 20 }, (_, index) => `m${index}`));
    await world.run(10_000);
    bob.frames.length = 0;
    for (const sent of all) {
      await markRead(sent);
      await world.run(100);
    }
    await world.run(10_000);
    expect(reads().length).toBeLessThanOrEqual(2_000 / limits.receiptDelayMinMs + 1);
    expect(new Set(all.map(state))).toEqual(new Set(['read']));
  });

  test('leaves out what is missing; what comes into the hole later is unread until it is marked', async () => {
    asksNobody(bob);
    const kept = keepBack(bob, 3);
    const all = await sayAll('two', 'three', 'four');
    await world.run(8_000);
    await markRead();
    await world.run(5_000);
    expect(all.map(state)).toEqual(['read', 'sent', 'read']);
    kept.release(3);
    await world.run(10_000);
    expect(all.map(state)).toEqual(['read', 'delivered', 'read']);
    expect(summary()?.unread).toBe(1);
    await markRead();
    await world.run(5_000);
    expect(all.map(state)).toEqual(['read', 'read', 'read']);
    expect(summary()?.unread).toBe(0);
  });

  test('that this conversation does not have is refused, and nothing is marked', async () => {
    await sayAll('one');
    const carol = await world.online();
    const elsewhere = await say(world, bob, carol, 'elsewhere');
    await expect(markRead(elsewhere)).rejects.toMatchObject({ code: 'unknown_message', retryable: false });
    expect(summary()?.unread).toBe(2);
  });

  test('up to an own message on its way is all that is shown', async () => {
    const all = await sayAll('one');
    bob.link.offline = true;
    bob.link.cut();
    await world.settle();
    await markRead(await say(world, bob, alice, 'waits'));
    expect(summary()?.unread).toBe(0);
    bob.link.offline = false;
    await world.run(20_000);
    expect(all.map(state)).toEqual(['read']);
  });

  test('is told before an orderly end; a closed client marks nothing', async () => {
    const all = await sayAll('one');
    const conversation = await talk(world, bob, alice);
    await markRead();
    await world.wait(bob.client.close());
    await world.settle();
    expect(all.map(state)).toEqual(['read']);
    await expect(conversation.markRead()).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('unread', () => {
  test('counts what others sent; own sending leaves it, and its list follows it', async () => {
    const list = bob.client.conversations();
    let changes = 0;
    const end = list.subscribe(() => (changes += 1));
    await sayAll('one', 'two');
    expect(list.getSnapshot().items[0]).toMatchObject({ unread: 3, lastMessage: { text: 'two' } });
    await world.wait((await say(world, bob, alice, 'mine')).reached('sent'));
    expect(list.getSnapshot().items[0]).toMatchObject({ unread: 3, lastMessage: { text: 'mine' } });
    const before = changes;
    await markRead();
    expect(changes).toBe(before + 1);
    expect(list.getSnapshot().items[0]).toMatchObject({ unread: 0 });
    expect(summary(alice, bob)?.unread).toBe(2);
    end();
  });

  test('is none in a note to oneself', async () => {
    await world.wait((await say(world, bob, bob, 'milk')).reached('read'));
    expect(summary(bob, bob)?.unread).toBe(0);
    await world.wait((await talk(world, bob, bob)).markRead());
  });

  test('is as it was after the file was opened again', async () => {
    const [, second] = await sayAll('one', 'two', 'three');
    await markRead(second);
    await world.reopen(bob);
    expect(summary()?.unread).toBe(1);
  });
});

describe('a read watermark that is not true', () => {
  const carols = parseHandle(Buffer.alloc(32, 1).toString('base64url'));

  /** Makes Bob say something else where he says that something was read. */
  function forge(change: (watermark: Watermark) => Watermark): void {
    bob.alterFrame = (bytes) => {
      const frame = decodeFrame(bytes);
      if (frame.kind !== frameKinds.receipt) return bytes;
      const all = decodeReceipt(frame.body).map((one) => (one.kind === 'read' ? change(one) : one));
      return encodeFrame({ ...frame, body: encodeReceipt(all) });
    };
  }

  test.each<[string, (watermark: Watermark) => Watermark, string[]]>([
    ['beyond what was sent', (one) => ({ ...one, n: 99 }), ['a receipt for another frame']],
    ['with another hash', (one) => ({ ...one, frameHash: new Uint8Array(32) }), ['a receipt for another frame']],
    ['for another n', (one) => ({ ...one, n: one.n - 1 }), ['a receipt for another frame']],
    ['of another device', (one) => ({ ...one, senderDevice: parseDeviceId(9) }), []],
    ['under another handle', (one) => ({ ...one, handle: carols }), []],
  ])('%s changes nothing', async (_name, change, told) => {
    forge(change);
    const all = await sayAll('one', 'two');
    await markRead();
    await world.run(10_000);
    expect(all.map(state)).toEqual(['delivered', 'delivered']);
    expect(alerts(alice)).toEqual(told);
  });

  test('by a contact who is not in the conversation changes nothing', async () => {
    const carol = await world.online();
    await world.wait((await say(world, alice, carol, 'hello')).reached('delivered'));
    let stolen: Watermark | undefined;
    forge((one) => ((stolen = one), { ...one, kind: 'delivered' }));
    const all = await sayAll('to Bob');
    await markRead();
    await world.run(10_000);
    expect(stolen).toMatchObject({ kind: 'read' });
    carol.alterFrame = (bytes) => {
      const frame = decodeFrame(bytes);
      if (frame.kind !== frameKinds.receipt || !stolen) return bytes;
      return encodeFrame({ ...frame, body: encodeReceipt([stolen]) });
    };
    await world.wait((await say(world, alice, carol, 'more')).reached('sent'));
    await world.run(10_000);
    expect(all.map(state)).toEqual(['delivered']);
    expect(alerts(alice)).toEqual([]);
  });

  test('takes nothing back: what was read stays so', async () => {
    const first = await sayAll('one');
    await markRead();
    await world.run(5_000);
    forge((one) => ({ ...one, except: [{ from: 1, to: one.n }] }));
    const second = await sayAll('two');
    await markRead();
    await world.run(5_000);
    expect([...first, ...second].map(state)).toEqual(['read', 'delivered']);
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'one', 'two']);
  });
});
