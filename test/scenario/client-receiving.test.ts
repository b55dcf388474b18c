import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  decodeEnvelope,
  decodeFrame,
  decodeSignedDeviceList,
  encodeFrame,
  limits,
  parseDeviceId,
  parseHandle,
  type Deliver,
  type Down,
  type SequencedEnvelope,
  type Submit,
} from '@waxwing/protocol';
import { addDevice, putList } from '../support/client-second-device.ts';
import {
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

const holes = (device: TestClient) => device.events.filter((event) => event.type === 'hole');
const filled = (device: TestClient) => device.events.filter((event) => event.type === 'holeFilled');

const sequenced = (change: (envelope: SequencedEnvelope) => SequencedEnvelope, n?: number) =>
  changeEnvelope(
    (envelope): envelope is SequencedEnvelope => isSequenced(envelope) && (n === undefined || envelope.n === n),
    change,
  );

/** Keeps deliveries of these n back; `release` gives them with the positions that the next ones would have. */
function keepBack(device: TestClient, ...wanted: number[]): { release(n: number): void } {
  const kept = new Map<number, Deliver>();
  let last = 0;
  device.link.down = (down) => {
    if (down.type === 'deliver') last = Math.max(last, down.position.number);
    const n = wanted.find((one) => deliversN(down, one));
    if (n === undefined || down.type !== 'deliver') return [down];
    kept.set(n, down);
    return [];
  };
  return {
    release(n) {
      const down = kept.get(n);
      if (!down) throw new Error('not kept');
      last += 1;
      device.link.say({ ...down, position: { ...down.position, number: last } });
    },
  };
}

async function sayAll(texts: readonly string[]): Promise<void> {
  for (const text of texts) await world.wait((await say(world, alice, bob, text)).reached('sent'));
}

describe('a gap', () => {
  test('holds later messages back at most two seconds while connected and drained, then is a hole that fills in place', async () => {
    const kept = keepBack(bob, 2);
    const inbox = bob.client.inbox();
    const began = world.runtime.clock.now();
    await sayAll(['two', 'three']);
    await world.run(limits.sequenceHoldMs - 100 - (world.runtime.clock.now() - began));
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho']);
    await world.run(200);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 awaiting sender]', 'three']);
    expect(holes(bob)).toMatchObject([{ count: 1, reason: 'awaiting sender' }]);
    kept.release(2);
    await world.settle();
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'two', 'three']);
    expect(filled(bob)).toHaveLength(1);
    const given = [];
    for (let count = 0; count < 3; count += 1) given.push((await world.wait(inbox.next())).value);
    expect(given.map((message) => [message?.text, message?.late])).toEqual([
      ['hi', false],
      ['three', false],
      ['two', true],
    ]);
  });

  test('that closes in time is no hole, and the order is kept', async () => {
    const kept = keepBack(bob, 2);
    await sayAll(['two', 'three']);
    await world.run(1_000);
    kept.release(2);
    await world.run(5_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'two', 'three']);
    expect(holes(bob)).toEqual([]);
  });

  test('holds each message back at most two seconds, also where one gap follows another', async () => {
    keepBack(bob, 2, 4);
    await sayAll(['two', 'three']);
    await world.run(200);
    await sayAll(['four', 'five']);
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

  test('is not given up while the connection is down, nor before the mailbox has drained', async () => {
    keepBack(bob, 2);
    await sayAll(['two', 'three']);
    await world.run(1_000);
    bob.link.offline = true;
    bob.link.cut();
    await world.run(60_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho']);
    expect(holes(bob)).toEqual([]);
  });

  test('that an own submit of unknown outcome explains waits for it without limit', async () => {
    alice.link.down = (down) => (down.type === 'accepted' && down.n === 2 ? [] : [down]);
    const own = await say(world, alice, bob, 'mine');
    await world.wait((await say(world, bob, alice, 'yours')).reached('sent'));
    await world.run(10_000);
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'mine?']);
    expect(holes(alice)).toEqual([]);
    alice.link.down = (down) => [down];
    alice.link.cut();
    await world.wait(own.reached('sent'));
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'mine', 'yours']);
    expect(holes(alice)).toEqual([]);
  });
});

describe('mail that is gone', () => {
  test('expired: one hole of that reason, and what is later is shown', async () => {
    await world.wait(bob.client.close());
    await sayAll(['a', 'b', 'c']);
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
    await sayAll(['a', 'b']);
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
      const changed = sequenced((envelope) => {
        const { era, number } = envelope.sequence;
        return { ...envelope, sequence: { era, number: number + 1_000_000_000_000 } };
      })(down);
      return changed;
    };
    bob.link.say({ type: 'marks', marks: [{ from: 1, to: 9, count: 2, reason: 'expired' }] });
    await sayAll(['far']);
    await world.run(3_000);
    const { holes: kept } = await (await talk(world, bob, alice)).coverage();
    expect(kept).toHaveLength(1);
    expect((await shown(world, bob, alice)).at(-1)).toBe('far');
  });

  test('a mailbox that began anew: the hole says lost', async () => {
    await world.wait(bob.client.close());
    await sayAll(['gone']);
    await world.restart({ lose: true });
    await world.reopen(bob);
    await world.connect(bob);
    await world.until(() => alice.client.connection.getSnapshot().state === 'online');
    await sayAll(['after']);
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
  await world.restart({ lose: true });
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

describe('what cannot be read', () => {
  test('is a hole and held, and what is later goes on', async () => {
    bob.link.down = sequenced((envelope) => {
      const ciphertext = Buffer.from(envelope.ciphertext);
      ciphertext.writeUInt8(ciphertext.readUInt8(40) ^ 1, 40);
      return { ...envelope, ciphertext };
    }, 2);
    await sayAll(['broken', 'whole']);
    await world.run(1_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 undecryptable]', 'whole']);
    expect(holes(bob)).toMatchObject([{ count: 1, reason: 'undecryptable' }]);
    await world.reopen(bob);
    expect(bob.store?.held.of(alice.client.account)).toHaveLength(1);
  });

  test('a poisoned envelope in the middle of a batch stops nothing before and behind it', async () => {
    await world.wait(bob.client.close());
    await sayAll(['one', 'two', 'three']);
    await world.reopen(bob);
    bob.link.down = (down) =>
      down.type === 'deliver' && deliversN(down, 3) ? [{ ...down, envelope: Buffer.from('no envelope') }] : [down];
    await world.connect(bob);
    await world.run(3_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'one', '[1 awaiting sender]', 'three']);
    await sayAll(['four']);
    await world.run(1_000);
    expect((await shown(world, bob, alice)).at(-1)).toBe('four');
  });

  test.each([
    ['no frame', () => Buffer.from('garbage')],
    ['a frame of another sender', (frame: Uint8Array) => altered(frame, { device: 7 })],
    ['a frame for another number', (frame: Uint8Array) => altered(frame, { n: 9 })],
    ['a frame for another handle', (frame: Uint8Array) => altered(frame, { handle: true })],
    ['content that is none', (frame: Uint8Array) => altered(frame, { body: Buffer.from([255, 255]) })],
    ['a direct frame', (frame: Uint8Array) => altered(frame, { direct: true })],
  ])('%s is refused with a hole and an alert, and what is later goes on', async (_name, alter) => {
    alice.alterFrame = alter;
    await sayAll(['evil']);
    alice.alterFrame = (frame) => frame;
    await sayAll(['good']);
    await world.run(1_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 refused]', 'good']);
    expect(alerts(bob)).toHaveLength(1);
  });

  test('an envelope relabelled with another n is refused with a hole and an alert', async () => {
    bob.link.down = sequenced((envelope) => ({ ...envelope, n: 7 }), 2);
    await sayAll(['relabelled', 'next']);
    await world.run(1_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 refused]', 'next']);
    expect(alerts(bob)).toEqual(['frame refused: n']);
  });

  test('an envelope relabelled with another handle is refused with an alert, and its number is a hole', async () => {
    const handle = parseHandle(Buffer.alloc(32, 9).toString('base64url'));
    bob.link.down = sequenced((envelope) => ({ ...envelope, handle }), 2);
    await sayAll(['relabelled', 'next']);
    await world.run(3_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 awaiting sender]', 'next']);
    expect(alerts(bob)).toEqual(['frame refused: handle']);
  });

  test('an envelope relabelled with another sender is never shown as theirs', async () => {
    const carol = await world.online();
    await world.wait((await say(world, carol, bob, 'I am Carol')).reached('delivered'));
    const sender = { account: carol.client.account, device: carol.client.device };
    bob.link.down = sequenced((envelope) => ({ ...envelope, sender }), 2);
    await sayAll(['relabelled', 'next']);
    await world.run(3_000);
    expect(await shown(world, bob, carol)).toEqual(['I am Carol']);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 awaiting sender]', 'next']);
  });

  test('a frame under the handle of another conversation is refused', async () => {
    const carol = await world.online();
    await world.wait((await say(world, carol, bob, 'hello')).reached('delivered'));
    const known = bob.link.downs.flatMap((down) => (down.type === 'deliver' ? [decodeEnvelope(down.envelope)] : []));
    const foreign = known.filter(isSequenced).find(({ sender }) => sender.account === carol.client.account);
    if (!foreign) throw new Error('a message of Carol');
    alice.alterFrame = (frame) => {
      const { place, ...rest } = decodeFrame(frame);
      return encodeFrame({ ...rest, ...(place && { place: { ...place, handle: foreign.handle } }) });
    };
    bob.link.down = sequenced((envelope) => ({ ...envelope, handle: foreign.handle }), 2);
    await sayAll(['intruder']);
    await world.run(3_000);
    expect(await shown(world, bob, carol)).toEqual(['hello']);
    expect(alerts(bob)).toEqual(['frame refused: handle of another conversation']);
  });

  test('a direct envelope under another message id is refused with an alert, and changes no status', async () => {
    alice.link.down = changeEnvelope(
      (envelope) => envelope.type === 'direct',
      (envelope) => (envelope.type === 'direct' ? { ...envelope, messageId: ids.other } : envelope),
    );
    const sent = await say(world, alice, bob, 'receipt?');
    await world.run(5_000);
    expect(alerts(alice)).toEqual(['frame refused: message id']);
    expect(sent.status.getSnapshot()).toEqual({ state: 'sent' });
  });

  test('two frames under one n of a device: the first stays, an alert tells', async () => {
    await sayAll(['first']);
    const evil = { armed: true };
    alice.alterFrame = (frame) => (evil.armed ? altered(frame, { n: 2 }) : frame);
    bob.link.down = sequenced((envelope) => ({ ...envelope, n: 2 }), 3);
    await sayAll(['second under the same n']);
    evil.armed = false;
    await world.run(3_000);
    expect((await shown(world, bob, alice)).slice(0, 3)).toEqual(['hi', 'ho', 'first']);
    expect(alerts(bob)).toEqual(['two frames under one number']);
  });
});

const ids = {
  get other() {
    return decodeFrame(alice.frames[0] ?? new Uint8Array(0)).messageId;
  },
};

function altered(
  bytes: Uint8Array,
  o: { device?: number; n?: number; handle?: true; body?: Uint8Array; direct?: true },
): Uint8Array {
  const { place, ...frame } = decodeFrame(bytes);
  if (!place) return bytes;
  const handle = o.handle ? parseHandle(Buffer.alloc(32, 3).toString('base64url')) : place.handle;
  return encodeFrame({
    ...frame,
    sender: o.device === undefined ? frame.sender : { ...frame.sender, device: parseDeviceId(o.device) },
    body: o.body ?? frame.body,
    ...(!o.direct && { place: { ...place, handle, n: o.n ?? place.n } }),
  });
}

describe('a device that no verified list names', () => {
  test('is held while the keyserver is away, and read as soon as its list is here', async () => {
    const carol = await world.online();
    bob.http = () => Promise.reject(new Error('down'));
    await world.wait((await say(world, carol, bob, 'who am I?')).reached('sent'));
    await world.run(1_000);
    expect(holes(bob)).toEqual([]);
    bob.http = (request, send) => send(request);
    await talk(world, bob, carol);
    await world.run(100);
    expect(await shown(world, bob, carol)).toEqual(['who am I?']);
  });

  test('is read after the next connection, also where its list came before a crash', async () => {
    const carol = await world.online();
    bob.http = () => Promise.reject(new Error('down'));
    await world.wait((await say(world, carol, bob, 'who am I?')).reached('sent'));
    await world.run(1_000);
    bob.http = (request, send) => send(request);
    const list = await world.storage.directory.deviceList(carol.client.account);
    if (!list) throw new Error('a list');
    await world.reopen(bob);
    bob.store?.transaction(() => bob.store?.lists.put({ signed: decodeSignedDeviceList(list.signed), list: list.list }));
    await world.connect(bob);
    await world.run(100);
    expect(await shown(world, bob, carol)).toEqual(['who am I?']);
  });

  test('costs one wait for a keyserver that does not answer, not one for each envelope', async () => {
    const carol = await world.online();
    await world.wait(bob.client.close());
    for (let index = 0; index < 8; index += 1) {
      await world.wait((await say(world, carol, bob, `c${index}`)).reached('sent'));
    }
    await sayAll(['from a friend']);
    await world.reopen(bob);
    bob.http = () => new Promise((_resolve, reject) => void world.runtime.timers.after(20_000, () => reject(new Error('late'))));
    void bob.client.connect().catch(() => undefined);
    const began = world.runtime.clock.now();
    await world.until(() => bob.link.downs.some((down) => down.type === 'drained'));
    const conversation = bob.client.conversation((await talk(world, alice, bob)).id);
    await conversation.catch(() => undefined);
    const direct = await bob.client.direct(alice.client.account);
    const query = direct.history();
    await world.until(() => query.getSnapshot().items.some((item) => item.kind === 'message' && item.text === 'from a friend'));
    expect(world.runtime.clock.now() - began).toBeLessThan(45_000);
  });

  test('a list whose signature is not good is refused with an alert, and nothing is encrypted for it', async () => {
    const carol = await world.online();
    bob.http = async (request, send) => {
      const answer = await send(request);
      if (!request.url.includes('bundles') && !request.url.includes('device-list')) return answer;
      const body = Buffer.from(answer.body).toString();
      const forged = body.replace(/"deviceList":"([^"]+)"/, (_all, text: string) => {
        const bytes = Buffer.from(text, 'base64url');
        bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
        return `"deviceList":"${bytes.toString('base64url')}"`;
      });
      return { ...answer, body: Buffer.from(forged) };
    };
    const conversation = await talk(world, bob, carol);
    const sent = await conversation.send({ text: 'secret' });
    await world.run(3_000);
    expect(sent.status.getSnapshot()).toEqual({ state: 'queued' });
    expect(alerts(bob).every((what) => what.startsWith('device list refused'))).toBe(true);
    expect(alerts(bob).length).toBeGreaterThan(0);
    expect(bob.frames.every((frame) => !Buffer.from(frame).includes('secret'))).toBe(true);
  });

  test('a second device that comes to a known account is told', async () => {
    await addDevice(world, bob);
    await sayAll(['to both']);
    expect(alice.events).toContainEqual({ type: 'deviceAdded', account: bob.client.account, device: 2 });
  });

  test('a hole is told once, however often what is held is tried again', async () => {
    bob.link.down = sequenced((envelope) => ({ ...envelope, sender: { ...envelope.sender, device: parseDeviceId(5) } }), 2);
    await sayAll(['from device 5', 'next']);
    await world.run(3_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 unlisted device]', 'next']);
    bob.link.down = (down) => [down];
    await putList(world, alice, (list) => ({
      devices: [
        ...list.devices,
        ...list.devices.map((device) => ({ ...device, device: parseDeviceId(5), addedIn: list.version })),
      ],
    }));
    for (let index = 0; index < 3; index += 1) {
      bob.link.cut();
      await world.until(() => bob.client.connection.getSnapshot().state !== 'online');
      await world.until(() => bob.client.connection.getSnapshot().state === 'online');
      await world.run(70_000);
    }
    expect(holes(bob)).toHaveLength(1);
  });
});

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
    await sayAll(['one', 'two', 'three']);
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
    await sayAll(['one', 'two', 'three']);
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
    await sayAll(['one']);
    await world.run(500);
    for (const [index, down] of seen.entries()) {
      bob.link.say({ ...down, position: { incarnation: Buffer.alloc(8, 4).toString('base64url'), number: index + 1 } });
    }
    await world.run(3_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'one']);
    expect(holes(bob)).toEqual([]);
    expect(alerts(bob)).toEqual([]);
  });

  test('the same ciphertext twice in one batch is read once', async () => {
    let twice: Down[] = [];
    bob.link.down = (down) => {
      if (!deliversN(down, 2) || down.type !== 'deliver') return [down];
      const { position } = down;
      twice = [down, { ...down, position: { ...position, number: position.number + 1 } }];
      return twice;
    };
    await sayAll(['one']);
    await world.run(3_000);
    expect(twice).toHaveLength(2);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'one']);
    expect(holes(bob)).toEqual([]);
  });

  test('a position of an older incarnation trims nothing: what the relay has now all comes', async () => {
    await world.wait(bob.client.close());
    await sayAll(['kept']);
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
    bob.link.down = sequenced((envelope) => ({ ...envelope, serverTimeMs }));
    await sayAll([text]);
    await world.run(100);
  }
  bob.link.down = (down) => [down];
  await sayAll(['today']);
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
  expect((await shown(world, bob, alice)).slice(0, 3)).toEqual(['hi', 'ho', 'last words']);
  expect(alerts(bob)).toEqual([]);
});

test('a link that goes down while its mail is being read is not said to be online', async () => {
  await world.wait(bob.client.close());
  await sayAll(['one', 'two']);
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
  await sayAll(['two', 'three']);
  await world.run(3_000);
  const before = await shown(world, bob, alice);
  await world.reopen(bob);
  expect(await shown(world, bob, alice)).toEqual(before);
});
