import { encodeSubmitBody, limits, type Up } from '@waxwing/protocol';
import type { Storage } from '@waxwing/storage';
import { describe, expect, it } from 'vitest';
import type { TestDevice } from '../../support/relay-account.ts';
import { bodyFor, submitMessage, testHandle, testMessageId } from '../../support/relay-device.ts';
import { createRelayWorld, settle, until } from '../../support/relay-world.ts';

async function talk(wrap?: (storage: Storage) => Storage) {
  const world = createRelayWorld(wrap ? { wrap } : {});
  const [alice] = (await world.account()).devices;
  const [bob] = (await world.account()).devices;
  const link = world.link();
  await link.device.authenticate(alice);
  await link.device.next('drained');
  const stored = async (): Promise<number> =>
    (await world.storage.mailboxes.read(bob.key, 0, { entries: 1_000, bytes: 1e9 })).entries.length;
  return { world, alice, bob, link, device: link.device, stored };
}

/** A store whose submits wait until released. */
function slowStore() {
  const waiting: (() => void)[] = [];
  return {
    waiting,
    wrap: (storage: Storage): Storage => ({
      ...storage,
      mailboxes: {
        ...storage.mailboxes,
        async submit(asked) {
          await new Promise<void>((resolve) => waiting.push(resolve));
          return storage.mailboxes.submit(asked);
        },
      },
    }),
  };
}

const direct = (to: TestDevice, from: TestDevice, id: number, content: string | number = 'x'): Up => ({
  type: 'direct_submit',
  request: id,
  messageId: testMessageId(id),
  attempt: 0,
  body: encodeSubmitBody({
    ...bodyFor([to], from, content),
    recipients: bodyFor([to], from, content).recipients.slice(1),
  }),
});

describe('a submit', () => {
  it('is accepted with its number, and comes to the recipient', async () => {
    const { world, alice, bob, device } = await talk();
    const other = world.link().device;
    await other.authenticate(bob);
    device.say(submitMessage(bodyFor([bob], alice, 'hello'), { n: 1, request: 77 }));
    const accepted = await device.next('accepted');
    expect(accepted).toMatchObject({ request: 77, n: 1, attempt: 1, duplicate: false, sequence: { number: 1 } });
    expect(Buffer.from((await other.next('deliver')).envelope).includes('hello')).toBe(true);
  });

  it('of a known n is answered as duplicate with the same sequence, and stored once', async () => {
    const { alice, bob, device, stored } = await talk();
    const submit = submitMessage(bodyFor([bob], alice, 'hello'), { n: 1 });
    device.say(submit);
    const first = await device.next('accepted');
    device.say({ ...submit, request: 2 }, { ...submit, request: 3, attempt: 2 });
    const [second, third] = [await device.next('accepted'), await device.next('accepted')];
    expect([second.duplicate, third.duplicate]).toEqual([true, true]);
    expect(second.sequence).toEqual(first.sequence);
    expect(third).toMatchObject({ attempt: 1, sequence: first.sequence });
    expect(await stored()).toBe(1);
  });

  it('of a window is committed in the order of n, whatever batch it came in', async () => {
    const { alice, bob, device } = await talk();
    const body = bodyFor([bob], alice, 'x');
    device.say(...Array.from({ length: 16 }, (_, index) => submitMessage(body, { n: index + 1, oldest: 1 })));
    await until(() => device.all('accepted').length === 16);
    for (const { n, sequence } of device.all('accepted')) expect(sequence?.number).toBe(n);
  });

  // "… out-of-order … message on the wire: its coded error, close where the table says so, nothing stored."
  it('that the store refuses is told so, each with its code', async () => {
    const { alice, bob, device, stored } = await talk();
    const body = bodyFor([bob], alice, 'x');
    const wrongDevice = bodyFor([{ ...bob, registrationId: bob.registrationId + 1 }], alice, 'x');
    const noSelf = { ...body, recipients: body.recipients.slice(1) };
    device.say(submitMessage(body, { n: 5, oldest: 4, request: 1 }));
    expect(await device.next('rejected')).toMatchObject({ request: 1, code: 'out_of_order' });
    device.say(submitMessage(wrongDevice, { n: 1, request: 2 }));
    expect(await device.next('rejected')).toMatchObject({
      code: 'mismatch',
      mismatches: [{ account: bob.account, listVersion: 1, stale: [bob.device] }],
    });
    device.say(submitMessage(noSelf, { n: 1, request: 3 }));
    expect(await device.next('rejected')).toMatchObject({ request: 3, code: 'bad_recipients' });
    device.say(submitMessage({ ...body, change: true }, { n: 1, changeBase: 0, request: 4 }));
    await device.next('accepted');
    device.say(submitMessage({ ...body, change: true }, { n: 2, changeBase: 0, request: 5 }));
    expect(await device.next('rejected')).toMatchObject({ request: 5, code: 'stale_group', lastChange: 1 });
    device.say(submitMessage(bodyFor([bob], alice, 'other'), { n: 1, request: 6 }));
    expect(await device.next('rejected')).toMatchObject({ request: 6, code: 'conflict' });
    expect(await stored()).toBe(1);
  });

  it('over the window of its handle is window_full', async () => {
    const { alice, bob, device, stored } = await talk();
    device.say(submitMessage(bodyFor([bob], alice, 'x'), { n: 17, oldest: 1 }));
    expect((await device.next('rejected')).code).toBe('window_full');
    device.say(submitMessage(bodyFor([bob], alice, 'x'), { n: 16, oldest: 1 }));
    expect((await device.next('rejected')).code).toBe('out_of_order');
    expect(await stored()).toBe(0);
  });

  it('is window_full when 64 are in flight, and taken again when they are answered', async () => {
    const slow = slowStore();
    const { alice, bob, device } = await talk(slow.wrap);
    const body = bodyFor([bob], alice, 'x');
    const submits = Array.from({ length: 65 }, (_, i) =>
      submitMessage(body, { n: (i % 16) + 1, oldest: 1, handle: testHandle(1 + Math.floor(i / 16)), request: i + 1 }),
    );
    device.say(...submits);
    expect(await device.next('rejected')).toMatchObject({ request: 65, code: 'window_full' });
    expect(slow.waiting).toHaveLength(64);
    for (const release of slow.waiting.splice(0)) release();
    await until(() => device.all('accepted').length === 64);
    device.say(submits[64]!);
    await until(() => slow.waiting.length === 1);
  });

  it('with a body that is no body is rejected, and the socket stays', async () => {
    const { alice, bob, device, link, stored } = await talk();
    const twice = bodyFor([bob], alice, 'x');
    const good = encodeSubmitBody(twice);
    const bodies: [string, Uint8Array][] = [
      ['malformed', Buffer.from([0xff, 0xff])],
      ['malformed', good.subarray(0, good.length - 3)],
      ['malformed', Buffer.concat([good, Buffer.from([0x7a, 1, 1])])],
      ['bad_recipients', encodeSubmitBody({ ...twice, recipients: [...twice.recipients, ...twice.recipients] })],
      ['too_large', encodeSubmitBody(bodyFor([bob], alice, limits.ciphertextMaxBytes + 1))],
    ];
    for (const [code, body] of bodies) {
      device.say(submitMessage(body, { n: 1 }));
      expect((await device.next('rejected')).code).toBe(code);
    }
    expect(link.ends).toEqual([]);
    expect(await stored()).toBe(0);
  });

  it('with an unknown ciphertext kind is rejected as malformed', async () => {
    const { alice, bob, device, stored } = await talk();
    const good = Buffer.from(encodeSubmitBody(bodyFor([bob], alice, 'x')));
    const at = good.indexOf(Buffer.from([0x18, 1]), good.indexOf(Buffer.from([0x10])));
    expect(at).toBeGreaterThan(0);
    good[at + 1] = 9;
    device.say(submitMessage(good, { n: 1 }));
    expect((await device.next('rejected')).code).toBe('malformed');
    expect(await stored()).toBe(0);
  });
});

describe('a store that fails', () => {
  it('is never Accepted: the submit is rejected as unavailable, to be tried again', async () => {
    let isAway = true;
    const { alice, bob, device, link, stored } = await talk((storage) => ({
      ...storage,
      mailboxes: {
        ...storage.mailboxes,
        submit: (asked) => (isAway ? Promise.reject(new Error('disk')) : storage.mailboxes.submit(asked)),
        submitDirect: () => Promise.reject(new Error('disk')),
        heads: () => Promise.reject(new Error('disk')),
        entries: () => {
          throw new Error('a bug, before any promise');
        },
      },
    }));
    const submit = submitMessage(bodyFor([bob], alice, 'x'), { n: 1, request: 1 });
    device.say(submit, direct(bob, alice, 2), { type: 'heads', request: 3, handles: [testHandle(1)] });
    device.say({ type: 'entries', request: 4, handle: testHandle(1), era: 1 as never, numbers: [1] });
    await until(() => device.all('rejected').length === 4);
    expect(device.all('accepted')).toEqual([]);
    for (const { code, retryAfterMs } of device.all('rejected')) {
      expect(code).toBe('unavailable');
      expect(retryAfterMs).toBeGreaterThan(0);
    }
    expect(link.ends).toEqual([]);
    isAway = false;
    device.say(submit);
    expect((await device.next('accepted')).duplicate).toBe(false);
    expect(await stored()).toBe(1);
  });

  it('and is slow says nothing before it has committed', async () => {
    const slow = slowStore();
    const { world, alice, bob, device } = await talk(slow.wrap);
    const other = world.link().device;
    await other.authenticate(bob);
    device.say(submitMessage(bodyFor([bob], alice, 'x'), { n: 1 }));
    await until(() => slow.waiting.length === 1);
    await settle();
    expect(device.all('accepted')).toEqual([]);
    expect(other.all('deliver')).toEqual([]);
    slow.waiting[0]!();
    await device.next('accepted');
    await other.next('deliver');
  });
});

describe('a direct submit', () => {
  it('is accepted without a number, once per message id', async () => {
    const { alice, bob, device, stored } = await talk();
    device.say(direct(bob, alice, 7), direct(bob, alice, 7));
    const [first, second] = [await device.next('accepted'), await device.next('accepted')];
    expect(first).toMatchObject({ request: 7, n: 0, attempt: 0, duplicate: false });
    expect(first.sequence).toBeUndefined();
    expect(second.duplicate).toBe(true);
    expect(await stored()).toBe(1);
  });

  it('to nobody, with a change or with a shared ciphertext is refused', async () => {
    const { alice, bob, device, stored } = await talk();
    const body = { ...bodyFor([bob], alice, 'x'), recipients: bodyFor([bob], alice, 'x').recipients.slice(1) };
    const bodies = [
      { ...body, recipients: [] },
      bodyFor([bob], alice, 'x'),
      { ...body, change: true },
      { ...body, sharedCiphertext: Buffer.from('x') },
    ];
    const codes: string[] = [];
    for (const one of bodies) {
      device.say({
        type: 'direct_submit',
        request: 1,
        messageId: testMessageId(1),
        attempt: 0,
        body: encodeSubmitBody(one),
      });
      codes.push((await device.next('rejected')).code);
    }
    expect(codes).toEqual(['bad_recipients', 'bad_recipients', 'malformed', 'malformed']);
    expect(await stored()).toBe(0);
  });
});

describe('Heads and Entries', () => {
  it('answer what is there, and for an unknown handle nothing but its name', async () => {
    const { alice, bob, device } = await talk();
    device.say(submitMessage(bodyFor([bob], alice, 'x'), { n: 1 }));
    const { sequence } = await device.next('accepted');
    device.say({ type: 'heads', request: 5, handles: [testHandle(1), testHandle(2)] });
    const { request, heads } = await device.next('heads_reply');
    expect(request).toBe(5);
    expect(heads).toEqual([{ handle: testHandle(1), last: sequence }, { handle: testHandle(2) }]);
    device.say({ type: 'entries', request: 6, handle: testHandle(1), era: sequence!.era, numbers: [1, 2] });
    const { entries } = await device.next('entries_reply');
    expect(entries).toEqual([{ number: 1, sender: { account: alice.account, device: alice.device }, n: 1 }]);
  });

  it('tell a stranger nothing of entries', async () => {
    const { world, alice, bob, device } = await talk();
    device.say(submitMessage(bodyFor([bob], alice, 'x'), { n: 1 }));
    const { sequence } = await device.next('accepted');
    const stranger = world.link().device;
    await stranger.authenticate((await world.account()).devices[0]);
    stranger.say({ type: 'entries', request: 1, handle: testHandle(1), era: sequence!.era, numbers: [1] });
    expect((await stranger.next('entries_reply')).entries).toEqual([]);
  });
});

describe('the rates of a device', () => {
  it('refuse handles beyond headsHandlesPerMinute, and let them through as time passes', async () => {
    const { world, device, link } = await talk();
    const handles = Array.from({ length: limits.handlesPerHeads }, () => testHandle(1));
    const asks = limits.headsHandlesPerMinute / limits.handlesPerHeads;
    for (let i = 0; i < asks; i += 1) device.say({ type: 'heads', request: i, handles });
    await until(() => device.all('heads_reply').length === asks);
    device.say({ type: 'heads', request: 99, handles });
    const { code, retryAfterMs } = await device.next('rejected');
    expect([code, retryAfterMs]).toEqual(['rate_limited', 15_000]);
    await world.runtime.advanceAsync(retryAfterMs);
    device.say({ type: 'heads', request: 100, handles });
    await until(() => device.all('heads_reply').length === asks + 1);
    expect(link.ends).toEqual([]);
  });

  it('refuse submits beyond the burst, on the next connection too, and store none of them', async () => {
    const { world, alice, device, link } = await talk();
    const burst = limits.submitsPerDeviceBurst;
    const nobody = bodyFor([], alice, 'x');
    for (let n = 1; n <= burst; n += 1) {
      device.say(submitMessage(nobody, { n }));
      if (n % 16 === 0) await until(() => device.all('accepted').length === n);
    }
    await until(() => device.all('accepted').length === burst);
    device.say(submitMessage(nobody, { n: burst + 1 }));
    const { code, retryAfterMs } = await device.next('rejected');
    expect(code).toBe('rate_limited');
    expect(retryAfterMs).toBeGreaterThanOrEqual(128);
    const again = world.link().device;
    await again.authenticate(alice);
    again.say(submitMessage(nobody, { n: burst + 1 }));
    expect((await again.next('rejected')).code).toBe('rate_limited');
    await world.runtime.advanceAsync(retryAfterMs);
    again.say(submitMessage(nobody, { n: burst + 1 }));
    expect((await again.next('accepted')).sequence?.number).toBe(burst + 1);
    expect(link.isOver()).toBe(true);
  });

  it('close a device that makes more than errorsPerMinute errors, after answering each', async () => {
    const { device } = await talk();
    const bad = submitMessage(Buffer.from([0xff]), { n: 1 });
    for (let i = 0; i <= limits.errorsPerMinute; i += 1) device.say(bad);
    expect(await device.ended).toEqual({ code: 4104, reason: 'rate_limited' });
    expect(device.all('rejected')).toHaveLength(limits.errorsPerMinute + 1);
  });

  it('do not count what an honest device may get as errors', async () => {
    const { alice, bob, device, link } = await talk();
    for (let i = 0; i < 3 * limits.errorsPerMinute; i += 1) {
      device.say(submitMessage(bodyFor([bob], alice, 'x'), { n: 9, oldest: 8 }));
      expect((await device.next('rejected')).code).toBe('out_of_order');
    }
    expect(link.ends).toEqual([]);
  });
});
