import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeEnvelope, decodeFrame, encodeFrame, limits, parseDeviceId, parseHandle } from '@waxwing/protocol';
import {
  acquainted,
  alerts,
  changeEnvelope,
  changeSequenced,
  deliversN,
  holesOf,
  isSequenced,
  say,
  sayAll,
  shown,
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

describe('what cannot be read', () => {
  test('is a hole and held, and what is later goes on', async () => {
    bob.link.down = changeSequenced((envelope) => {
      const ciphertext = Buffer.from(envelope.ciphertext);
      ciphertext.writeUInt8(ciphertext.readUInt8(40) ^ 1, 40);
      return { ...envelope, ciphertext };
    }, 2);
    await sayAll(world, alice, bob, 'broken', 'whole');
    await world.run(1_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 undecryptable]', 'whole']);
    expect(holesOf(bob)).toMatchObject([{ count: 1, reason: 'undecryptable' }]);
    await world.reopen(bob);
    expect(bob.store?.held.of(alice.client.account)).toHaveLength(1);
  });

  test('begins a conversation as a hole, is asked for, and comes', async () => {
    const carol = await world.online();
    bob.link.down = changeSequenced((envelope) => ({ ...envelope, ciphertext: Buffer.alloc(300, 7) }), 1);
    await sayAll(world, carol, bob, 'broken');
    await world.run(1_000);
    expect(await shown(world, bob, carol)).toEqual(['[1 undecryptable]']);
    await world.run(30_000);
    expect(await shown(world, bob, carol)).toEqual(['broken']);
  });

  test('of no conversation with its sender begins none', async () => {
    const carol = await world.online();
    const invented = parseHandle(Buffer.alloc(32, 7).toString('base64url'));
    bob.link.down = changeSequenced((envelope) => ({
      ...envelope,
      handle: invented,
      ciphertext: Buffer.alloc(300, 7),
    }));
    await sayAll(world, carol, bob, 'broken');
    await world.run(1_000);
    expect(bob.store?.conversations.byPeer(carol.client.account)).toBeUndefined();
  });

  test('a poisoned envelope in the middle of a batch stops nothing before and behind it', async () => {
    await world.wait(bob.client.close());
    await sayAll(world, alice, bob, 'one', 'two', 'three');
    await world.reopen(bob);
    bob.link.down = (down) =>
      down.type === 'deliver' && deliversN(down, 3) ? [{ ...down, envelope: Buffer.from('no envelope') }] : [down];
    await world.connect(bob);
    await world.run(3_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'one', '[1 awaiting sender]', 'three']);
    await sayAll(world, alice, bob, 'four');
    await world.run(1_000);
    expect((await shown(world, bob, alice)).at(-1)).toBe('four');
  });

  test('large ones in number stop nothing behind them', async () => {
    const bulk = Buffer.alloc(limits.ciphertextMaxBytes, 7);
    let number = 0;
    bob.link.down = (down) => {
      if (down.type !== 'deliver') return [down];
      number = down.position.number;
      for (let count = 1; count <= 14; count += 1) {
        bob.link.say({ ...down, position: { ...down.position, number: number + count }, envelope: bulk });
      }
      return [down];
    };
    await sayAll(world, alice, bob, 'before');
    await world.run(500);
    bob.link.down = (down) =>
      down.type === 'deliver'
        ? [{ ...down, position: { ...down.position, number: down.position.number + 14 } }]
        : [down];
    await sayAll(world, alice, bob, 'behind');
    await world.run(500);
    expect(number).toBeGreaterThan(0);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'before', 'behind']);
  });

  test.each([
    ['no frame', 'frame', () => Buffer.from('garbage')],
    ['a frame of another sender', 'sender', (frame: Uint8Array) => altered(frame, { device: 7 })],
    ['a frame for another number', 'n', (frame: Uint8Array) => altered(frame, { n: 9 })],
    ['a frame for another handle', 'handle', (frame: Uint8Array) => altered(frame, { handle: true })],
    ['content that is none', 'frame', (frame: Uint8Array) => altered(frame, { body: Buffer.from([255, 255]) })],
    ['a direct frame', 'handle', (frame: Uint8Array) => altered(frame, { direct: true })],
  ])('%s is refused with a hole and an alert, and what is later goes on', async (_name, what, alter) => {
    alice.alterFrame = alter;
    await sayAll(world, alice, bob, 'evil');
    alice.alterFrame = (frame) => frame;
    await sayAll(world, alice, bob, 'good');
    await world.run(1_000);
    const refused = `frame refused: ${what}`;
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 refused]', `!${refused}`, 'good']);
    expect(alerts(bob)).toEqual([refused]);
  });

  test('an envelope relabelled with another n is refused with a hole and an alert', async () => {
    bob.link.down = changeSequenced((envelope) => ({ ...envelope, n: 7 }), 2);
    await sayAll(world, alice, bob, 'relabelled', 'next');
    await world.run(1_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 refused]', '!frame refused: n', 'next']);
    expect(alerts(bob)).toEqual(['frame refused: n']);
  });

  test('an envelope relabelled with another handle is refused with an alert, and its number is a hole until it fills', async () => {
    const handle = parseHandle(Buffer.alloc(32, 9).toString('base64url'));
    bob.link.down = changeSequenced((envelope) => ({ ...envelope, handle }), 2);
    await sayAll(world, alice, bob, 'relabelled', 'next');
    await world.run(3_000);
    expect(await shown(world, bob, alice)).toEqual([
      'hi',
      'ho',
      '!frame refused: handle',
      '[1 awaiting sender]',
      'next',
    ]);
    await world.run(20_000);
    const lines = ['hi', 'ho', '!frame refused: handle', 'relabelled', 'next'];
    expect(await shown(world, bob, alice)).toEqual(lines);
    expect(alerts(bob)).toEqual(['frame refused: handle']);
  });

  test('an envelope relabelled with another sender is never shown as theirs', async () => {
    const carol = await world.online();
    await world.wait((await say(world, carol, bob, 'I am Carol')).reached('delivered'));
    const sender = { account: carol.client.account, device: carol.client.device };
    bob.link.down = changeSequenced((envelope) => ({ ...envelope, sender }), 2);
    await sayAll(world, alice, bob, 'relabelled', 'next');
    await world.run(3_000);
    expect(await shown(world, bob, carol)).toEqual(['I am Carol']);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 awaiting sender]', 'next']);
    await world.run(20_000);
    expect(await shown(world, bob, carol)).toEqual(['I am Carol']);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'relabelled', 'next']);
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
    bob.link.down = changeSequenced((envelope) => ({ ...envelope, handle: foreign.handle }), 2);
    await sayAll(world, alice, bob, 'intruder');
    await world.run(3_000);
    expect(await shown(world, bob, carol)).toEqual(['hello']);
    expect(alerts(bob)).toEqual(['frame refused: handle of another conversation']);
  });

  test('a direct envelope under another message id is refused with an alert, and changes no status', async () => {
    alice.link.down = changeEnvelope(
      (envelope) => envelope.type === 'direct',
      (envelope) => ({ ...envelope, messageId: decodeFrame(alice.frames[0] ?? new Uint8Array(0)).messageId }),
    );
    const sent = await say(world, alice, bob, 'receipt?');
    await world.run(5_000);
    expect(alerts(alice)).toEqual(['frame refused: message id']);
    expect(sent.status.getSnapshot()).toEqual({ state: 'sent' });
  });

  test('two frames under one n of a device: the first stays, an alert tells', async () => {
    await sayAll(world, alice, bob, 'first');
    const evil = { armed: true };
    alice.alterFrame = (frame) => (evil.armed ? altered(frame, { n: 2 }) : frame);
    bob.link.down = changeSequenced((envelope) => ({ ...envelope, n: 2 }), 3);
    await sayAll(world, alice, bob, 'second under the same n');
    evil.armed = false;
    await world.run(3_000);
    expect((await shown(world, bob, alice)).slice(0, 3)).toEqual(['hi', 'ho', 'first']);
    expect(alerts(bob)).toEqual(['two frames under one number']);
  });
});

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
