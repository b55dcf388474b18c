import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  decodeEnvelope,
  decodeFrame,
  encodeFrame,
  limits,
  type Deliver,
  encodeEnvelope,
  frameKinds,
  parseEra,
  type Accepted,
  decodeSubmitBody,
} from '@waxwing/protocol';
import { addDevice, putList } from '../support/client-second-device.ts';
import { acquainted, alerts, deliversN, say, sayAll, shown, submitsOf, talk } from '../support/client-talk.ts';
import { createClientWorld, type ClientWorld, type TestClient } from '../support/client-world.ts';

let world: ClientWorld;
let alice: TestClient;
let bob: TestClient;

beforeEach(async () => {
  world = await createClientWorld();
  [alice, bob] = await acquainted(world);
});
afterEach(() => world.close());

describe('an answer that no honest relay gives', () => {
  const taken = '!two frames under one number';
  test.each<[string, (accepted: Accepted) => Accepted, readonly string[]]>([
    ['of an attempt that was never made', (accepted) => ({ ...accepted, attempt: 9 }), []],
    [
      'without a place',
      ({ type, request, duplicate, n, attempt, serverTimeMs }) => ({
        type,
        request,
        duplicate,
        n,
        attempt,
        serverTimeMs,
      }),
      [],
    ],
    [
      'at a place that another frame has',
      (accepted) => ({ ...accepted, sequence: { era: firstEra(), number: 1 } }),
      [taken],
    ],
  ])(
    '%s keeps the message queued, asked for again at leisure, and sent once the relay is honest',
    async (_name, lie, alert) => {
      alice.link.down = (down) => [down.type === 'accepted' && down.n > 0 ? lie(down) : down];
      alice.link.ups.length = 0;
      const sent = await say(world, alice, bob, 'still mine');
      await world.run(10_000);
      expect(sent.status.getSnapshot()).toEqual({ state: 'queued' });
      expect((await shown(world, alice, bob)).toSorted()).toEqual(['hi', 'ho', 'still mine?', ...alert].toSorted());
      expect(submitsOf(alice).length).toBeLessThan(12);
      alice.link.down = (down) => [down];
      await world.wait(sent.reached('sent'));
      expect((await shown(world, alice, bob)).toSorted()).toEqual(['hi', 'ho', 'still mine', ...alert].toSorted());
      expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'still mine']);
    },
  );

  test('at a place that another frame has, for ever, holds up nothing that follows', async () => {
    alice.link.down = (down) =>
      down.type === 'accepted' && down.n === 2 ? [{ ...down, sequence: { era: firstEra(), number: 1 } }] : [down];
    const sent = await say(world, alice, bob, 'whose place?');
    const next = await say(world, alice, bob, 'next');
    await world.run(60_000);
    expect(sent.status.getSnapshot()).toEqual({ state: 'failed', code: 'conflict' });
    expect(next.status.getSnapshot().state).toBe('delivered');
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'whose place?', 'next']);
    expect(await shown(world, alice, bob)).toContain(taken);
  });

  const firstEra = () => {
    const known = alice.link.downs.find((down): down is Accepted => down.type === 'accepted' && down.n === 1);
    return known?.sequence?.era ?? parseEra(1);
  };

  test('out_of_order for ever is asked at leisure', async () => {
    alice.link.up = (up) => {
      if (up.type !== 'submit') return [up];
      const { request } = up;
      alice.link.ups.push(up);
      alice.link.say({ type: 'rejected', request, code: 'out_of_order', retryAfterMs: 0, mismatches: [] });
      return [];
    };
    alice.link.ups.length = 0;
    const sent = await say(world, alice, bob, 'first in line');
    await world.run(10_000);
    expect(submitsOf(alice).length).toBeGreaterThan(3);
    expect(submitsOf(alice).length).toBeLessThan(12);
    alice.link.up = (up) => [up];
    await world.wait(sent.reached('sent'));
  });

  test('for a submit that is settled already changes nothing', async () => {
    await sayAll(world, alice, bob, 'once');
    const [answer] = alice.link.downs.filter((down) => down.type === 'accepted' && down.n === 2);
    if (!answer) throw new Error('an answer');
    alice.link.say(answer, answer);
    await world.run(1_000);
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'once']);
  });
});

describe('cancel', () => {
  test('whose void frame is refused for good too is true: nobody has the message', async () => {
    alice.link.up = (up) => {
      if (up.type !== 'submit') return [up];
      if (up.attempt > 0) {
        const { request } = up;
        alice.link.say({ type: 'rejected', request, code: 'bad_recipients', retryAfterMs: 0, mismatches: [] });
      }
      return [];
    };
    const sent = await say(world, alice, bob, 'refused twice');
    const cancelled = sent.cancel();
    await world.settle();
    alice.link.cut();
    expect(await world.wait(cancelled)).toBe(true);
    alice.link.up = (up) => [up];
    await sayAll(world, alice, bob, 'after');
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'after']);
  });

  test('and retry of a message that was sent change nothing', async () => {
    const sent = await say(world, alice, bob, 'sent');
    await world.wait(sent.reached('sent'));
    await sent.retry();
    expect(await world.wait(sent.cancel())).toBe(false);
    await world.run(1_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'sent']);
  });
});

describe('a void frame', () => {
  test('at two places moves nothing, and later messages go on', async () => {
    let refusals = 0;
    alice.link.up = (up) => {
      if (up.type !== 'submit' || refusals > 0) return [up];
      refusals += 1;
      const { request } = up;
      alice.link.say({ type: 'rejected', request, code: 'bad_recipients', retryAfterMs: 0, mismatches: [] });
      return [];
    };
    alice.link.down = (down) => (down.type === 'accepted' ? [] : [down]);
    const failed = await say(world, alice, bob, 'void');
    await world.until(() => bob.link.downs.some((down) => deliversN(down, 2)));
    await world.restart('lost');
    alice.link.down = (down) => [down];
    await expect(world.wait(failed.reached('sent'))).rejects.toMatchObject({ code: 'bad_recipients' });
    await sayAll(world, alice, bob, 'after');
    await world.run(5_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'after']);
    expect(alerts(bob)).toEqual([]);
  });
});

describe('a device that registered anew under its id', () => {
  test('gets what is framed for it under its new registration, and the session with the one before is archived', async () => {
    await addDevice(world, bob);
    await sayAll(world, alice, bob, 'to the second device');
    await putList(world, bob, (list) => ({ devices: list.devices.filter(({ device }) => device === 1) }));
    const renewed = await addDevice(world, bob);
    alice.link.ups.length = 0;
    alice.frames.length = 0;
    const conversation = await talk(world, alice, bob);
    const all = await Promise.all(['one', 'two'].map((text) => conversation.send({ text })));
    for (const sent of all) await world.wait(sent.reached('sent'));
    const taken = submitsOf(alice).filter(({ attempt }) => attempt > 0);
    const texts: string[] = [];
    for (const { body } of taken) {
      const recipient = decodeSubmitBody(body).recipients.find(({ account }) => account === bob.client.account);
      const device = recipient?.devices.find((one) => one.device === renewed.listed.device);
      if (!device) throw new Error('a ciphertext for the new registration');
      expect(device.registrationId).toBe(renewed.listed.registrationId);
      const frame = await renewed.read(alice, device);
      if (typeof frame === 'string') throw new Error(frame);
      texts.push(Buffer.from(decodeFrame(frame).body).toString());
    }
    expect(texts.map((text) => text.replace(/[^a-z]/g, ''))).toEqual(['one', 'two']);
  });
});

describe('a peer', () => {
  test('that sends a kind which this version does not know is shown without a text', async () => {
    alice.alterFrame = (bytes) => {
      const frame = decodeFrame(bytes);
      return frame.kind === frameKinds.content ? encodeFrame({ ...frame, kind: 77 }) : bytes;
    };
    await sayAll(world, alice, bob, 'from the future');
    await world.run(500);
    const items = (await talk(world, bob, alice)).history().getSnapshot().items;
    // What it sent differs here from what it holds itself, so there are alerts behind it.
    const last = items.filter(({ kind }) => kind === 'message').at(-1);
    expect(last).toMatchObject({ kind: 'message', status: { state: 'received' } });
    expect(last && 'text' in last).toBe(false);
  });

  test.each([
    ['a receipt with a place', (bytes: Uint8Array) => placedReceipt(bytes)],
    ['a direct frame of no known kind', (bytes: Uint8Array) => ofKind(bytes, 99)],
  ])('that sends %s changes nothing', async (_name, alter) => {
    const sent = await say(world, alice, bob, 'receipt?');
    bob.alterFrame = alter;
    await world.run(5_000);
    expect(sent.status.getSnapshot()).toEqual({ state: 'sent' });
    bob.alterFrame = (bytes) => bytes;
    await world.wait((await say(world, alice, bob, 'again')).reached('delivered'));
  });

  const isReceipt = (bytes: Uint8Array): boolean => decodeFrame(bytes).kind === frameKinds.receipt;
  const ofKind = (bytes: Uint8Array, kind: number): Uint8Array =>
    isReceipt(bytes) ? encodeFrame({ ...decodeFrame(bytes), kind }) : bytes;
  const placedReceipt = (bytes: Uint8Array): Uint8Array => {
    const place = alice.frames.map((one) => decodeFrame(one).place).find((one) => one !== undefined);
    return isReceipt(bytes) && place ? encodeFrame({ ...decodeFrame(bytes), place }) : bytes;
  };

  test('whose second device left the account meanwhile gets its receipts', async () => {
    await addDevice(world, alice);
    await world.wait((await say(world, bob, alice, 'to both devices')).reached('sent'));
    await putList(world, alice, (list) => ({ devices: list.devices.filter(({ device }) => device === 1) }));
    const sent = await say(world, alice, bob, 'needs a receipt');
    await world.wait(sent.reached('delivered'));
    const rejected = bob.link.downs.filter((down) => down.type === 'rejected').map(({ code }) => code);
    expect(rejected).toContain('mismatch');
  });
});

describe('a mailbox', () => {
  test('that is long is read in batches, in order', async () => {
    await world.wait(bob.client.close());
    const conversation = await talk(world, alice, bob);
    const texts = Array.from({ length: limits.drainBatchEntries + 20 }, (_, index) => `m${index}`);
    for (const text of texts) await conversation.send({ text });
    await world.until(() => submitsOf(alice).length > 0);
    await world.run(2_000);
    await world.reopen(bob);
    await world.connect(bob);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', ...texts]);
  }, 60_000);

  test('that gives all again under another incarnation shows nothing twice: held, direct and read', async () => {
    const seen: Deliver[] = [];
    const keep = (device: TestClient) => {
      device.link.down = (down) => {
        if (down.type !== 'deliver') return [down];
        const whole = decodeEnvelope(down.envelope);
        const ciphertext = Buffer.from(whole.ciphertext);
        if (device === bob && deliversN(down, 3)) ciphertext.writeUInt8(ciphertext.readUInt8(60) ^ 1, 60);
        const given = { ...down, envelope: encodeEnvelope({ ...whole, ciphertext }) };
        seen.push(given);
        return [given];
      };
    };
    keep(bob);
    await sayAll(world, alice, bob, 'two', 'broken', 'four');
    await world.run(3_000);
    const before = await shown(world, bob, alice);
    const incarnation = Buffer.alloc(8, 6).toString('base64url');
    bob.link.down = (down) => [down];
    for (const [index, down] of seen.entries()) bob.link.say({ ...down, position: { incarnation, number: index + 1 } });
    await world.run(3_000);
    expect(await shown(world, bob, alice)).toEqual(before);
    seen.length = 0;
    keep(alice);
    await sayAll(world, alice, bob, 'five');
    await world.run(5_000);
    expect(seen.length).toBeGreaterThan(0);
    alice.link.down = (down) => [down];
    for (const [index, down] of seen.entries())
      alice.link.say({ ...down, position: { incarnation, number: index + 1 } });
    await world.run(3_000);
    expect(alerts(alice)).toEqual([]);
    await world.reopen(alice);
    expect(alice.store?.held.of(bob.client.account)).toEqual([]);
  });

  test('whose mail is gone while the relay does not say the heads goes on, and tells at the next message', async () => {
    await world.wait(bob.client.close());
    await sayAll(world, alice, bob, 'gone');
    await world.restart('whole');
    await world.reopen(bob);
    bob.link.down = (down) => {
      if (down.type === 'ready') return [{ ...down, marks: [{ from: 1, to: 3, count: 1, reason: 'expired' }] }];
      if (down.type === 'heads_reply') return [];
      return deliversN(down, 2) ? [] : [down];
    };
    await world.connect(bob);
    await world.run(1_000);
    bob.link.down = (down) => (deliversN(down, 2) ? [] : [down]);
    bob.link.cut();
    await world.until(() => bob.client.connection.getSnapshot().state === 'online');
    await sayAll(world, alice, bob, 'next');
    await world.run(5_000);
    expect((await shown(world, bob, alice)).slice(-2)).toEqual(['[1 awaiting sender]', 'next']);
  });
});
