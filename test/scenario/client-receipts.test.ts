import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  decodeFrame,
  decodeReceipt,
  decodeSubmitBody,
  encodeFrame,
  encodeReceipt,
  frameKinds,
  limits,
  parseDeviceId,
  parseHandle,
  type DirectSubmit,
  type Watermark,
} from '@waxwing/protocol';
import type { SentMessage } from '@waxwing/client-core';
import { addDevice } from '../support/client-second-device.ts';
import {
  asksNobody,
  acquainted,
  alerts,
  changeEnvelope,
  deliversN,
  isSequenced,
  say,
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

/** Makes the device say something else in its receipts. */
function forge(device: TestClient, change: (watermark: Watermark) => Watermark): void {
  device.alterFrame = (bytes) => {
    const frame = decodeFrame(bytes);
    if (frame.kind !== frameKinds.receipt) return bytes;
    return encodeFrame({ ...frame, body: encodeReceipt(decodeReceipt(frame.body).map(change)) });
  };
}

/** The receipts that the device made. */
const receiptsOf = (device: TestClient): Watermark[][] =>
  device.frames
    .map((bytes) => decodeFrame(bytes))
    .filter(({ kind }) => kind === frameKinds.receipt)
    .map(({ body }) => decodeReceipt(body));

const states = (all: readonly SentMessage[]): string[] => all.map(({ status }) => status.getSnapshot().state);

async function sayAll(...texts: string[]): Promise<SentMessage[]> {
  const all: SentMessage[] = [];
  for (const text of texts) all.push(await say(world, alice, bob, text));
  for (const sent of all) await world.wait(sent.reached('sent'));
  return all;
}

describe('a receipt', () => {
  test('comes after half a second to three, once for all that came meanwhile', async () => {
    bob.frames.length = 0;
    const all = await sayAll('a', 'b', 'c');
    await world.run(limits.receiptDelayMinMs - 100);
    expect(states(all)).toEqual(['sent', 'sent', 'sent']);
    await world.run(limits.receiptDelayMaxMs);
    expect(states(all)).toEqual(['delivered', 'delivered', 'delivered']);
    expect(receiptsOf(bob)).toHaveLength(1);
    await world.run(60_000);
    expect(receiptsOf(bob)).toHaveLength(1);
  });

  test('that is due is sent before an orderly end', async () => {
    const [sent] = await sayAll('read and gone');
    await world.wait(bob.client.close());
    await world.settle();
    expect(states(sent ? [sent] : [])).toEqual(['delivered']);
  });

  test('that is not answered holds an orderly end up for a second', async () => {
    bob.link.up = (up) => (up.type === 'direct_submit' ? [] : [up]);
    await sayAll('no answer');
    const closing = bob.client.close().then(() => true);
    await world.run(900);
    expect(await Promise.race([closing, Promise.resolve(false)])).toBe(false);
    await world.run(200);
    expect(await Promise.race([closing, Promise.resolve(false)])).toBe(true);
  });

  test('says delivered only of what is held: a hole is excepted, and is delivered when it fills', async () => {
    asksNobody(bob);
    let last = 0;
    let kept: Parameters<typeof bob.link.say>[0] | undefined;
    bob.link.down = (down) => {
      if (down.type !== 'deliver') return [down];
      last = Math.max(last, down.position.number);
      if (!deliversN(down, 3)) return [down];
      kept = down;
      return [];
    };
    const all = await sayAll('two', 'three', 'four');
    await world.run(8_000);
    expect(states(all)).toEqual(['delivered', 'sent', 'delivered']);
    if (kept?.type !== 'deliver') throw new Error('not kept');
    bob.link.say({ ...kept, position: { ...kept.position, number: last + 1 } });
    await world.run(5_000);
    expect(states(all)).toEqual(['delivered', 'delivered', 'delivered']);
  });

  test('says nothing of what cannot be read', async () => {
    asksNobody(bob);
    bob.link.down = changeEnvelope(isSequenced, (envelope) => {
      if (envelope.n !== 2) return envelope;
      const ciphertext = Buffer.from(envelope.ciphertext);
      ciphertext.writeUInt8(ciphertext.readUInt8(50) ^ 1, 50);
      return { ...envelope, ciphertext };
    });
    const all = await sayAll('broken', 'whole');
    await world.run(8_000);
    expect(states(all)).toEqual(['sent', 'delivered']);
  });

  test('says nothing of what was sent before this device had the conversation', async () => {
    const carol = await world.online();
    carol.link.offline = true;
    carol.link.cut();
    const early = await say(world, alice, carol, 'expires');
    await world.wait(early.reached('sent'));
    await world.wait(alice.client.close());
    await world.wait(bob.client.close());
    await world.wait(carol.client.close());
    world.runtime.advance(limits.mailboxTtlMs + 1_000);
    await world.reopen(carol);
    carol.link.offline = false;
    await world.connect(carol);
    await world.reopen(alice);
    await world.connect(alice);
    const later = await say(world, alice, carol, 'comes');
    await world.wait(later.reached('delivered'));
    const direct = await talk(world, alice, carol);
    const items = direct.history().getSnapshot().items;
    expect(items.map((item) => (item.kind === 'message' ? item.status.state : ''))).toEqual(['sent', 'delivered']);
  });

  test('goes on after a connection that ended before it was answered', async () => {
    bob.link.up = (up) => (up.type === 'direct_submit' ? [] : [up]);
    const [sent] = await sayAll('patience');
    await world.run(5_000);
    expect(states(sent ? [sent] : [])).toEqual(['sent']);
    bob.link.up = (up) => [up];
    bob.link.cut();
    if (sent) await world.wait(sent.reached('delivered'));
  });

  test('that falls due while another is on its way is sent after it', async () => {
    const held: DirectSubmit[] = [];
    bob.link.up = (up) => {
      if (up.type !== 'direct_submit' || held.length > 0) return [up];
      held.push(up);
      return [];
    };
    await sayAll('first');
    await world.run(4_000);
    expect(held).toHaveLength(1);
    const [second] = await sayAll('second');
    await world.run(4_000);
    const [request] = held;
    if (!request || !second) throw new Error('a receipt');
    bob.link.say({ type: 'accepted', request: request.request, duplicate: false, n: 0, attempt: 0, serverTimeMs: 1 });
    await world.run(8_000);
    expect(states([second])).toEqual(['delivered']);
  });

  test('goes again to the devices of the newest list, once there is a bundle for the new one', async () => {
    const submitted: DirectSubmit[] = [];
    bob.link.up = (up) => {
      if (up.type !== 'direct_submit') return [up];
      submitted.push(up);
      if (submitted.length > 1) return [up];
      bob.link.say({ type: 'rejected', request: up.request, code: 'mismatch', retryAfterMs: 0, mismatches: [] });
      return [];
    };
    bob.http = (request, send) =>
      request.url.endsWith('/v1/bundles') ? Promise.reject(new Error('down')) : send(request);
    const [sent] = await sayAll('from the first device');
    const second = await addDevice(world, alice);
    await world.run(10_000);
    expect(submitted).toHaveLength(1);
    bob.http = (request, send) => send(request);
    bob.link.cut();
    if (sent) await world.wait(sent.reached('delivered'));
    const devices = decodeSubmitBody(submitted[1]?.body ?? new Uint8Array(0)).recipients.flatMap((to) => to.devices);
    const forSecond = devices.find(({ device }) => device === 2);
    if (!forSecond) throw new Error('a receipt for the second device');
    expect(await second.read(bob, forSecond)).toBeInstanceOf(Uint8Array);
  });

  test('for one account waits for the connection where that for another was cut off', async () => {
    const carol = await world.online();
    await world.wait((await say(world, carol, bob, 'hello')).reached('delivered'));
    let cut = 0;
    bob.link.up = (up) => {
      if (up.type !== 'direct_submit' || cut > 0) return [up];
      cut += 1;
      bob.link.cut();
      return [];
    };
    const all = [await say(world, alice, bob, 'one'), await say(world, carol, bob, 'two')];
    for (const sent of all) await world.wait(sent.reached('delivered'));
    expect(cut).toBe(1);
  });

  test.each(['unknown_recipient', 'malformed'] as const)(
    'that is refused with %s for good is not sent for ever',
    async (code) => {
      let asked = 0;
      bob.link.up = (up) => {
        if (up.type !== 'direct_submit') return [up];
        asked += 1;
        bob.link.say({ type: 'rejected', request: up.request, code, retryAfterMs: 0, mismatches: [] });
        return [];
      };
      await sayAll('nobody hears');
      await world.run(60_000);
      expect(asked).toBe(1);
    },
  );

  test('that is refused for now is sent again', async () => {
    let asked = 0;
    bob.link.up = (up) => {
      if (up.type !== 'direct_submit' || asked === 2) return [up];
      asked += 1;
      bob.link.say({ type: 'rejected', request: up.request, code: 'rate_limited', retryAfterMs: 0, mismatches: [] });
      return [];
    };
    const [sent] = await sayAll('again');
    if (sent) await world.wait(sent.reached('delivered'));
    expect(asked).toBe(2);
  });
});

describe('a receipt that is not true', () => {
  test.each([
    ['another frame hash', (watermark: Watermark) => ({ ...watermark, frameHash: new Uint8Array(32) })],
    ['an n that was never sent', (watermark: Watermark) => ({ ...watermark, n: 99 })],
  ])('by %s alerts and changes no status', async (_name, change) => {
    forge(bob, change);
    const all = await sayAll('sent');
    await world.run(8_000);
    expect(states(all)).toEqual(['sent']);
    expect(alerts(alice).length).toBeGreaterThan(0);
    expect(new Set(alerts(alice))).toEqual(new Set(['a receipt for another frame']));
  });

  test.each([
    ['for another device', (watermark: Watermark) => ({ ...watermark, senderDevice: parseDeviceId(9) })],
    [
      'under a handle that nobody knows',
      (watermark: Watermark) => ({ ...watermark, handle: parseHandle(Buffer.alloc(32, 1).toString('base64url')) }),
    ],
  ])('%s changes nothing', async (_name, change) => {
    forge(bob, change);
    const all = await sayAll('sent');
    await world.run(8_000);
    expect(states(all)).toEqual(['sent']);
    expect(alerts(alice)).toEqual([]);
  });

  test('by the wrong account changes nothing', async () => {
    const carol = await world.online();
    await world.wait((await say(world, alice, carol, 'hello')).reached('delivered'));
    const all = await sayAll('to Bob');
    await world.run(8_000);
    const [receipt] = receiptsOf(bob).slice(-1);
    bob.client.close().catch(() => undefined);
    const more = await sayAll('to Bob, who is away');
    const told = receipt?.[0];
    if (!told) throw new Error('a receipt');
    forge(carol, () => ({ ...told, n: told.n + 1 }));
    await world.wait((await say(world, alice, carol, 'more')).reached('sent'));
    await world.run(8_000);
    expect(states([...all, ...more])).toEqual(['delivered', 'sent']);
    expect(alerts(alice)).toEqual([]);
  });

  test('with a body that is none changes nothing', async () => {
    bob.alterFrame = (bytes) => {
      const frame = decodeFrame(bytes);
      return frame.kind === frameKinds.receipt ? encodeFrame({ ...frame, body: Buffer.from('no receipt') }) : bytes;
    };
    const all = await sayAll('sent');
    await world.run(8_000);
    expect(states(all)).toEqual(['sent']);
    bob.alterFrame = (bytes) => bytes;
    const later = await sayAll('later');
    await world.run(8_000);
    expect(states([...all, ...later])).toEqual(['delivered', 'delivered']);
  });

  test('takes nothing back: what was delivered stays so', async () => {
    const all = await sayAll('one', 'two');
    for (const sent of all) await world.wait(sent.reached('delivered'));
    forge(bob, (watermark) => ({ ...watermark, except: [{ from: 1, to: watermark.n }] }));
    const [third] = await sayAll('three');
    await world.run(8_000);
    if (!third) throw new Error('sent');
    expect(states([...all, third])).toEqual(['delivered', 'delivered', 'sent']);
    bob.alterFrame = (bytes) => bytes;
    await sayAll('four');
    await world.run(8_000);
    expect(states([...all, third])).toEqual(['delivered', 'delivered', 'delivered']);
  });
});

test('a message that was read is delivered too, and reached resolves for both', async () => {
  forge(bob, (watermark) => ({ ...watermark, kind: 'read' }));
  const [sent] = await sayAll('look');
  if (!sent) throw new Error('sent');
  await world.wait(sent.reached('read'));
  await world.wait(sent.reached('delivered'));
  expect(states([sent])).toEqual(['read']);
  expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'look']);
});

test('waiting for a state ends with the signal of who waits', async () => {
  bob.link.offline = true;
  bob.link.cut();
  const [sent] = await sayAll('nobody there');
  const abort = new AbortController();
  const waiting = expect(sent?.reached('delivered', { signal: abort.signal })).rejects.toThrow('enough');
  abort.abort(new Error('enough'));
  await waiting;
});
