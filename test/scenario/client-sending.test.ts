import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  decodeFrame,
  decodeSubmitBody,
  frameKinds,
  limits,
  type ErrorCode,
  type Rejected,
  type Submit,
  type Up,
} from '@waxwing/protocol';
import { addDevice } from '../support/client-second-device.ts';
import { acquainted, alerts, deliversN, say, shown, talk } from '../support/client-talk.ts';
import { createClientWorld, type ClientWorld, type TestClient } from '../support/client-world.ts';

let world: ClientWorld;
let alice: TestClient;
let bob: TestClient;

beforeEach(async () => {
  world = await createClientWorld();
  [alice, bob] = await acquainted(world);
});
afterEach(() => world.close());

const submits = (ups: readonly Up[], n?: number): Submit[] =>
  ups.filter((up): up is Submit => up.type === 'submit' && (n === undefined || up.n === n));

const ciphertexts = ({ body }: Submit, of: TestClient) =>
  decodeSubmitBody(body).recipients.find(({ account }) => account === of.client.account)?.devices ?? [];

const rejected = ({ request }: Submit, code: ErrorCode, retryAfterMs = 0): Rejected => ({
  type: 'rejected',
  request,
  code,
  retryAfterMs,
  mismatches: [],
});

/** Answers the first submit of this n in the relay's place. */
function refuseOnce(device: TestClient, n: number, code: 'bad_recipients' | 'conflict' | 'unknown_recipient'): void {
  let isDone = false;
  device.link.up = (up) => {
    if (isDone || up.type !== 'submit' || up.n !== n) return [up];
    isDone = true;
    device.link.say(rejected(up, code));
    return [];
  };
}

/** The relay commits, and the device does not hear of it. */
async function loseAccepted(device: TestClient, peer: TestClient, text: string) {
  device.link.down = (down) => (down.type === 'accepted' ? [] : [down]);
  const sent = await say(world, device, peer, text);
  await world.until(() => submits(device.link.ups).length > 0);
  await world.settle();
  device.link.down = (down) => [down];
  device.link.offline = true;
  device.link.cut();
  await world.settle();
  return sent;
}

describe('a mismatch', () => {
  test('makes the next attempt: unaffected ciphertexts stay byte for byte, the frame is unchanged, the new device can read it', async () => {
    const second = await addDevice(world, bob);
    alice.link.ups.length = 0;
    alice.frames.length = 0;
    const sent = await say(world, alice, bob, 'to all of you');
    await world.wait(sent.reached('sent'));
    const [first, next] = submits(alice.link.ups, 2);
    if (!first || !next) throw new Error('two attempts');
    expect([first.attempt, next.attempt]).toEqual([0, 1]);
    expect(ciphertexts(first, bob).map(({ device }) => device)).toEqual([1]);
    expect(ciphertexts(next, bob).map(({ device }) => device)).toEqual([1, 2]);
    expect(ciphertexts(next, bob)[0]).toEqual(ciphertexts(first, bob)[0]);
    const [, forSecond] = ciphertexts(next, bob);
    if (!forSecond) throw new Error('a ciphertext for the second device');
    const frame = await second.read(alice, forSecond);
    expect(Buffer.from(frame)).toEqual(Buffer.from(alice.frames[0] ?? []));
    await world.until(() => bob.link.downs.some((down) => deliversN(down, 2)));
    await world.run(0);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'to all of you']);
  });

  test('renews every framed submit of the conversation, and all arrive once and in order', async () => {
    await addDevice(world, bob);
    const all = await Promise.all(['one', 'two', 'three'].map((text) => say(world, alice, bob, text)));
    for (const sent of all) await world.wait(sent.reached('sent'));
    await world.run(100);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'one', 'two', 'three']);
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', '!device added', 'one', 'two', 'three']);
  });
});

describe('a lost answer', () => {
  test('is asked for again with the same bytes, and the message is there once on both sides', async () => {
    alice.link.ups.length = 0;
    const sent = await loseAccepted(alice, bob, 'once');
    expect(sent.status.getSnapshot()).toEqual({ state: 'queued' });
    alice.link.offline = false;
    await world.wait(sent.reached('delivered'));
    const tries = submits(alice.link.ups, 2);
    expect(tries).toHaveLength(2);
    expect(tries[1]?.body).toEqual(tries[0]?.body);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'once']);
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'once']);
  });

  test('the same message under its id is queued, sent or answered once, whatever happened in between', async () => {
    const conversation = await talk(world, alice, bob);
    const id = 'order-17';
    const first = await conversation.send({ text: 'pay' }, { id });
    expect((await conversation.send({ text: 'pay' }, { id })).id).toBe(first.id);
    await world.wait(first.reached('sent'));
    expect((await conversation.send({ text: 'pay' }, { id })).id).toBe(first.id);
    await expect(conversation.send({ text: 'pay more' }, { id })).rejects.toMatchObject({ code: 'id_taken' });
    await world.run(5_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'pay']);
  });
});

describe('out_of_order', () => {
  test('waits for the lowest and resubmits upwards with the same bytes', async () => {
    let kept: Up | undefined;
    alice.link.up = (up) => {
      if (up.type !== 'submit' || up.attempt > 0) return [up];
      if (up.n === 2 && kept === undefined) {
        kept = up;
        return [];
      }
      return [up];
    };
    alice.link.ups.length = 0;
    const texts = ['a', 'b', 'c'];
    const all = await Promise.all(texts.map((text) => say(world, alice, bob, text)));
    await world.until(() => alice.link.downs.some((down) => down.type === 'rejected' && down.code === 'out_of_order'));
    // The one that was late on the network is lost with its connection.
    alice.link.cut();
    for (const sent of all) await world.wait(sent.reached('sent'));
    await world.run(100);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', ...texts]);
    const bodies = submits(alice.link.ups, 3).map(({ body }) => Buffer.from(body).toString('hex'));
    expect(bodies.length).toBeGreaterThan(1);
    expect(new Set(bodies).size).toBe(1);
  });

  test('a row that waited goes on when the one before it failed for good without a void frame', async () => {
    const held: Submit[] = [];
    alice.link.up = (up) => {
      if (up.type !== 'submit' || held.length === 2) return [up];
      held.push(up);
      return [];
    };
    const first = await say(world, alice, bob, 'refused');
    const second = await say(world, alice, bob, 'goes on');
    const failed = expect(world.wait(first.reached('sent'))).rejects.toMatchObject({ code: 'conflict' });
    const [lower, upper] = held;
    if (!lower || !upper) throw new Error('two submits');
    alice.link.say(rejected(upper, 'out_of_order'));
    await world.settle();
    alice.link.say(rejected(lower, 'conflict'));
    await failed;
    await world.wait(second.reached('sent'));
  });
});

describe('cancel', () => {
  test('before framing is sure, and nobody gets the message', async () => {
    alice.link.offline = true;
    alice.link.cut();
    await world.settle();
    const sent = await say(world, alice, bob, 'no');
    expect(await world.wait(sent.cancel())).toBe(true);
    alice.link.offline = false;
    await world.wait((await say(world, alice, bob, 'yes')).reached('sent'));
    expect(sent.status.getSnapshot()).toEqual({ state: 'failed', code: 'cancelled' });
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'yes']);
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'yes']);
  });

  test('of a message that the relay has already answers false, and the message stays sent', async () => {
    const sent = await loseAccepted(alice, bob, 'too late');
    const cancelled = sent.cancel();
    await world.settle();
    alice.link.offline = false;
    expect(await world.wait(cancelled)).toBe(false);
    expect(sent.status.getSnapshot().state).not.toBe('failed');
    await world.run(5_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'too late']);
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'too late']);
  });

  test('while a mismatch is on its way: the void frame goes in its place', async () => {
    let held: Submit | undefined;
    alice.link.up = (up) => {
      if (up.type !== 'submit' || held) return [up];
      held = up;
      return [];
    };
    const sent = await say(world, alice, bob, 'no');
    const cancelled = sent.cancel();
    await world.settle();
    if (!held) throw new Error('a submit');
    alice.link.say(rejected(held, 'mismatch'));
    expect(await world.wait(cancelled)).toBe(true);
    await world.wait((await say(world, alice, bob, 'after')).reached('delivered'));
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'after']);
  });

  test('of a message that was lost on the way answers true, a void frame takes its n, and nothing shows', async () => {
    alice.link.up = (up) => (up.type === 'submit' ? [] : [up]);
    const sent = await say(world, alice, bob, 'never was');
    await world.settle();
    const cancelled = sent.cancel();
    await world.settle();
    alice.link.up = (up) => [up];
    alice.link.cut();
    expect(await world.wait(cancelled)).toBe(true);
    await world.wait((await say(world, alice, bob, 'after')).reached('delivered'));
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'after']);
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'after']);
    const { holes } = await (await talk(world, bob, alice)).coverage();
    expect(holes).toEqual([]);
    expect(alerts(alice)).toEqual([]);
    expect(alerts(bob)).toEqual([]);
  });

  test('ends also when the relay refuses the message for good meanwhile', async () => {
    let refuse = (): void => undefined;
    alice.link.up = (up) => {
      if (up.type !== 'submit' || up.n !== 2 || up.attempt !== 0) return [up];
      refuse = () => alice.link.say(rejected(up, 'bad_recipients'));
      return [];
    };
    const sent = await say(world, alice, bob, 'refused');
    const cancelled = sent.cancel();
    await world.settle();
    refuse();
    expect(await world.wait(cancelled)).toBe(true);
    await world.wait((await say(world, alice, bob, 'after')).reached('delivered'));
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'after']);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'after']);
  });

  test('asked twice answers the same twice; of a message nobody knows, false', async () => {
    alice.link.up = (up) => (up.type === 'submit' ? [] : [up]);
    const sent = await say(world, alice, bob, 'twice');
    const both = Promise.all([sent.cancel(), sent.cancel()]);
    await world.settle();
    alice.link.up = (up) => [up];
    alice.link.cut();
    expect(await world.wait(both)).toEqual([true, true]);
    expect(await world.wait(sent.cancel())).toBe(false);
  });

  test('a receipt for the void frame that comes before its lost answer is no alarm', async () => {
    alice.link.up = (up) => (up.type === 'submit' ? [] : [up]);
    const sent = await say(world, alice, bob, 'taken back');
    const cancelled = sent.cancel();
    await world.settle();
    alice.link.up = (up) => [up];
    alice.link.down = (down) => (down.type === 'accepted' ? [] : [down]);
    alice.link.cut();
    await world.until(() => bob.link.downs.some((down) => deliversN(down, 2)));
    await world.run(limits.receiptDelayMaxMs + 100);
    alice.link.down = (down) => [down];
    alice.link.cut();
    expect(await world.wait(cancelled)).toBe(true);
    await world.run(1_000);
    expect(alerts(alice)).toEqual([]);
  });

  test('waiting for it ends when the client closes', async () => {
    alice.link.up = (up) => (up.type === 'submit' ? [] : [up]);
    const sent = await say(world, alice, bob, 'open end');
    const cancelled = sent.cancel();
    const ended = expect(cancelled).rejects.toMatchObject({ code: 'closed' });
    await world.settle();
    await world.wait(alice.client.close());
    await world.wait(ended);
  });
});

describe('a message that is refused for good', () => {
  test('fails, a void frame takes its n, later ones go on, and a retry sends it under the same id', async () => {
    refuseOnce(alice, 2, 'bad_recipients');
    const refused = await say(world, alice, bob, 'refused');
    const later = await say(world, alice, bob, 'later');
    await expect(world.wait(refused.reached('sent'))).rejects.toMatchObject({ code: 'bad_recipients' });
    await world.wait(later.reached('sent'));
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'later', 'refused?']);
    const voids = alice.frames.map((bytes) => decodeFrame(bytes)).filter(({ kind }) => kind === frameKinds.void);
    expect(voids[0]?.place).toMatchObject({ n: 2 });
    expect(voids[0]?.place?.replaces).toHaveLength(1);
    await refused.retry();
    await world.wait(refused.reached('delivered'));
    const items = (await talk(world, bob, alice)).history().getSnapshot().items;
    expect(items.map((item) => (item.kind === 'message' ? item.text : item.kind))).toEqual([
      'hi',
      'ho',
      'later',
      'refused',
    ]);
    expect(items.at(-1)).toMatchObject({ id: refused.id });
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'later', 'refused']);
  });

  test('an account that does not exist is an unknown user, and one that vanished fails its messages', async () => {
    await expect(world.wait(alice.client.direct('00000000-0000-4000-8000-00000000dead'))).rejects.toMatchObject({
      code: 'unknown_user',
    });
    refuseOnce(alice, 2, 'unknown_recipient');
    const sent = await say(world, alice, bob, 'gone');
    await expect(world.wait(sent.reached('sent'))).rejects.toMatchObject({ code: 'unknown_recipient' });
    await world.wait((await say(world, alice, bob, 'next')).reached('sent'));
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'next', 'gone?']);
  });
});

describe('the window', () => {
  test('never holds more than 16 submits of a handle, and all go in the order of n', async () => {
    const held: Up[] = [];
    alice.link.up = (up) => {
      if (up.type === 'submit') held.push(up);
      return [up];
    };
    const answered = new Set<number>();
    let worst = 0;
    alice.link.down = (down) => {
      if (down.type === 'accepted' && down.n > 0) answered.add(down.n);
      const open = new Set(held.flatMap((up) => (up.type === 'submit' && !answered.has(up.n) ? [up.n] : [])));
      worst = Math.max(worst, open.size);
      return [down];
    };
    const texts = Array.from({ length: 40 }, (_, index) => `m${index}`);
    const conversation = await talk(world, alice, bob);
    const all = await Promise.all(texts.map((text) => conversation.send({ text })));
    for (const sent of all) await world.wait(sent.reached('sent'));
    const sequenced = held.filter((up): up is Submit => up.type === 'submit');
    expect(sequenced.every(({ n, oldest }) => n < oldest + limits.windowPerHandle)).toBe(true);
    expect(worst).toBeLessThanOrEqual(limits.windowPerHandle);
    expect(sequenced.map(({ n }) => n)).toEqual([...new Set(sequenced.map(({ n }) => n))].sort((a, b) => a - b));
    await world.run(100);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', ...texts]);
  });

  test('holds while no answer comes, and the rest waits queued', async () => {
    alice.link.down = (down) => (down.type === 'accepted' ? [] : [down]);
    alice.link.ups.length = 0;
    const conversation = await talk(world, alice, bob);
    for (let index = 0; index < 30; index += 1) await conversation.send({ text: `m${index}` });
    await world.run(5_000);
    expect(submits(alice.link.ups)).toHaveLength(limits.windowPerHandle);
  });
});

describe('what is tried again', () => {
  test.each(['rate_limited', 'store_full', 'unavailable', 'internal', 'window_full'] as const)(
    'a submit that is answered %s goes again later, as it is',
    async (code) => {
      let refusals = 0;
      alice.link.up = (up) => {
        if (up.type !== 'submit' || refusals === 2) return [up];
        refusals += 1;
        alice.link.say(rejected(up, code, 3_000));
        return [];
      };
      alice.link.ups.length = 0;
      const beganMs = world.runtime.clock.now();
      const sent = await say(world, alice, bob, 'patience');
      await world.wait(sent.reached('sent'));
      expect(world.runtime.clock.now() - beganMs).toBeGreaterThanOrEqual(6_000);
      expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'patience']);
    },
  );

  test('a first message waits for the keyserver, and goes when it answers', async () => {
    const carol = await world.online();
    alice.http = () => Promise.reject(new Error('down'));
    const conversation = await talk(world, alice, carol);
    const sent = await conversation.send({ text: 'later' });
    await world.run(5_000);
    expect(sent.status.getSnapshot()).toEqual({ state: 'queued' });
    alice.http = (request, send) => send(request);
    await world.wait(sent.reached('sent'));
  });

  test('a mismatch waits for the keyserver, and goes when it answers', async () => {
    await addDevice(world, bob);
    alice.http = () => Promise.reject(new Error('down'));
    const sent = await say(world, alice, bob, 'held up');
    await world.run(5_000);
    expect(sent.status.getSnapshot()).toEqual({ state: 'queued' });
    alice.http = (request, send) => send(request);
    await world.wait(sent.reached('sent'));
  });
});

test('a note to self is sent without any ciphertext, and is in the history', async () => {
  const notes = await world.wait(alice.client.direct(alice.client.account));
  alice.link.ups.length = 0;
  const sent = await notes.send({ text: 'milk' });
  await world.wait(sent.reached('delivered'));
  const [submit] = submits(alice.link.ups);
  if (!submit) throw new Error('a submit');
  expect(decodeSubmitBody(submit.body).recipients).toMatchObject([{ account: alice.client.account, devices: [] }]);
  expect(await shown(world, alice, alice)).toEqual(['milk']);
});
