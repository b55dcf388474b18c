import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  decodeFrame,
  decodeRepairAnswer,
  decodeRepairRequest,
  encodeFrame,
  encodeRepairAnswer,
  encodeRepairRequest,
  frameKinds,
  limits,
  parseEra,
  parseHandle,
  type RepairAnswer,
  type RepairedFrame,
} from '@waxwing/protocol';
import {
  acquainted,
  alerts,
  changeSequenced,
  deliversN,
  holesOf,
  keepBack,
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

const framesOf = (device: TestClient, kind: number) =>
  device.frames.map(decodeFrame).filter((one) => one.kind === kind);
const requests = (device: TestClient) =>
  framesOf(device, frameKinds.repairRequest).map(({ body }) => decodeRepairRequest(body));

async function expectEqual(...texts: string[]): Promise<void> {
  const places = async (at: TestClient, peer: TestClient) =>
    (await talk(world, at, peer))
      .history()
      .getSnapshot()
      .items.map((item) => (item.kind === 'message' ? [item.text, item.sequence] : [item.kind]));
  expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', ...texts]);
  expect(await places(bob, alice)).toEqual(await places(alice, bob));
}

const broken = changeSequenced((envelope) => {
  const ciphertext = Buffer.from(envelope.ciphertext);
  ciphertext.writeUInt8(ciphertext.readUInt8(40) ^ 1, 40);
  return { ...envelope, ciphertext };
}, 2);

describe('a hole fills by itself, and both histories are equal', () => {
  test('after a message that never came: in place, late in the inbox, asked for once', async () => {
    const inbox = bob.client.inbox();
    keepBack(bob, 2);
    await sayAll(world, alice, bob, 'two', 'three');
    await world.run(limits.sequenceHoldMs + 500);
    expect(holesOf(bob)).toMatchObject([{ count: 1, reason: 'awaiting sender' }]);
    await world.run(20_000);
    await expectEqual('two', 'three');
    expect(requests(bob)).toHaveLength(1);
    expect(bob.events.filter(({ type }) => type === 'holeFilled')).toHaveLength(1);
    const given: unknown[] = [];
    for await (const { text, late } of inbox) if (given.push([text, late]) === 3) break;
    expect(given.slice(1)).toEqual([
      ['three', false],
      ['two', true],
    ]);
    expect([...alerts(alice), ...alerts(bob)]).toEqual([]);
  });

  test('after a corrupted ciphertext: in a new session, and nothing is held', async () => {
    bob.link.down = broken;
    await sayAll(world, alice, bob, 'two', 'three');
    await world.run(20_000);
    await expectEqual('two', 'three');
    await world.reopen(bob);
    expect(bob.store?.held.of(alice.client.account)).toEqual([]);
  });

  test('after a session that one side lost', async () => {
    await world.reopen(bob);
    bob.store?.transaction(() => {
      const key = `${alice.client.account}.${alice.client.device}`;
      bob.store?.crypto.write([{ kind: 'session', key }]);
    });
    await world.connect(bob);
    await sayAll(world, alice, bob, 'two', 'three');
    await world.run(20_000);
    await expectEqual('two', 'three');
    await sayAll(world, alice, bob, 'four');
    await world.run(3_000);
    await expectEqual('two', 'three', 'four');
  });

  test('after an expired mailbox', async () => {
    await world.wait(bob.client.close());
    await sayAll(world, alice, bob, 'two', 'three');
    await world.wait(alice.client.close());
    world.runtime.advance(limits.mailboxTtlMs + 1_000);
    await world.reopen(bob);
    await world.connect(bob);
    await world.reopen(alice);
    await world.connect(alice);
    await world.run(30_000);
    await expectEqual('two', 'three');
  });

  test('after mail that went while the device was online, with the reason that the relay gave, and no later hole has it', async () => {
    const marks = [{ from: 1, to: 9, count: 1, reason: 'expired' as const }];
    bob.link.down = (down) => (deliversN(down, 2) ? [] : [down]);
    await sayAll(world, alice, bob, 'two');
    bob.link.down = (down) => [down];
    alice.link.offline = true;
    alice.link.cut();
    bob.link.say({ type: 'marks', marks });
    await world.run(5_000);
    expect(holesOf(bob)).toMatchObject([{ count: 1, reason: 'expired' }]);
    alice.link.offline = false;
    await world.until(() => alice.client.connection.getSnapshot().state === 'online');
    await world.run(30_000);
    await expectEqual('two');
    bob.link.down = (down) => (deliversN(down, 3) ? [] : [down]);
    await sayAll(world, alice, bob, 'three', 'four');
    await world.run(3_000);
    expect(holesOf(bob)).toMatchObject([{ reason: 'expired' }, { count: 1, reason: 'awaiting sender' }]);
  });

  test.each([true, false])(
    'after a relay that lost its store, also its newest (a message follows: %s)',
    async (follows) => {
      await world.wait(bob.client.close());
      await sayAll(world, alice, bob, 'gone', 'too');
      await world.restart('lost');
      await world.reopen(bob);
      await world.connect(bob);
      await world.until(() => alice.client.connection.getSnapshot().state === 'online');
      if (follows) await sayAll(world, alice, bob, 'after');
      await world.run(40_000);
      await expectEqual('gone', 'too', ...(follows ? ['after'] : []));
    },
  );

  test('after the asking device was killed between its question and the answer', async () => {
    bob.link.down = (down) => (deliversN(down, 2) || requests(bob).length > 0 ? [] : [down]);
    await sayAll(world, alice, bob, 'two', 'three');
    await world.until(() => requests(bob).length > 0);
    await world.reopen(bob);
    bob.link.down = (down) => [down];
    await world.connect(bob);
    await world.run(30_000);
    await expectEqual('two', 'three');
  });
});

test('a hole that nobody fills is asked for again, further and further apart, and never twice at once', async () => {
  alice.alterFrame = (bytes) => {
    const frame = decodeFrame(bytes);
    return frame.kind === frameKinds.repairAnswer ? encodeFrame({ ...frame, kind: frameKinds.receipt }) : bytes;
  };
  keepBack(bob, 2);
  await sayAll(world, alice, bob, 'two', 'three');
  await world.run(65_000);
  expect(requests(bob).length).toBeGreaterThan(1);
  const times = framesOf(bob, frameKinds.repairRequest).map(({ sentAtMs }) => sentAtMs);
  for (const [index, time] of times.slice(1).entries()) {
    expect(time - (times[index] ?? 0)).toBeGreaterThanOrEqual(limits.repairFirstMs * 2 ** (index + 1));
  }
});

describe('a hostile answer changes nothing, and an alert tells', () => {
  const change = (item: RepairedFrame, o: Partial<ReturnType<typeof decodeFrame>>): RepairedFrame => ({
    ...item,
    frame: encodeFrame({ ...decodeFrame(item.frame), ...o }),
  });
  const body = Buffer.from([0x0a, 1, 0x78]);
  const own = (answer: RepairAnswer): RepairedFrame => {
    const frame = bob.frames.find((bytes) => decodeFrame(bytes).kind === frameKinds.content) ?? new Uint8Array(0);
    const sender = { account: bob.client.account, device: bob.client.device };
    const [first] = answer.frames;
    if (!first) throw new Error('an item');
    return change({ ...first, sender, n: 1, frame }, { body });
  };

  test.each<[string, string, (answer: RepairAnswer) => Partial<RepairAnswer>]>([
    ['other bytes', 'prev', ({ frames }) => ({ frames: frames.map((item) => change(item, { body })) })],
    [
      'another sender',
      'sender',
      ({ frames }) => ({
        frames: frames.map((item) => ({
          ...item,
          sender: own({ handle: parseHandle('A'.repeat(43)), frames, goneNumbers: [], goneFrames: [] }).sender,
        })),
      }),
    ],
    ['another n', 'n', ({ frames }) => ({ frames: frames.map((item) => ({ ...item, n: 7 })) })],
    [
      'a foreign handle',
      'handle of another conversation',
      () => ({ handle: parseHandle(Buffer.alloc(32, 9).toString('base64url')) }),
    ],
    ['a frame of ours, altered', 'another frame under this n', (answer) => ({ frames: [own(answer)] })],
    ['no frame', 'frame', ({ frames }) => ({ frames: frames.map((item) => ({ ...item, frame: Buffer.from('x') })) })],
    [
      'a number where another stands',
      'another frame at this number',
      ({ frames }) => ({ frames: frames.map((item) => ({ ...item, sequence: { ...item.sequence, number: 1 } })) }),
    ],
    [
      'a number behind the next message',
      'place',
      ({ frames }) => ({ frames: frames.map((item) => ({ ...item, sequence: { ...item.sequence, number: 9 } })) }),
    ],
  ])('%s', async (_name, what, evil) => {
    alice.alterFrame = (bytes) => {
      const frame = decodeFrame(bytes);
      if (frame.kind !== frameKinds.repairAnswer) return bytes;
      const answer = decodeRepairAnswer(frame.body);
      return encodeFrame({ ...frame, body: encodeRepairAnswer({ ...answer, ...evil(answer) }) });
    };
    keepBack(bob, 2);
    await sayAll(world, alice, bob, 'two', 'three');
    await world.run(12_000);
    const refused = `repair refused: ${what}`;
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 awaiting sender]', 'three', `!${refused}`]);
    expect(alerts(bob)).toEqual([refused]);
  });
});

test('who is no member of the conversation gets nothing', async () => {
  const carol = await world.online();
  await sayAll(world, carol, alice, 'hello');
  await world.run(5_000);
  const secret = alice.frames.map(decodeFrame).find(({ sender, place }) => place && sender.device)?.place?.handle;
  if (!secret) throw new Error('a handle');
  carol.alterFrame = (bytes) => {
    const frame = decodeFrame(bytes);
    if (frame.kind !== frameKinds.repairRequest) return bytes;
    const request = { handle: secret, numbers: [{ era: parseEra(1), from: 1, to: 9 }], frames: [] };
    return encodeFrame({ ...frame, body: encodeRepairRequest(request) });
  };
  keepBack(carol, 1);
  await sayAll(world, alice, carol, 'a', 'b');
  await world.run(20_000);
  expect(requests(carol).length).toBeGreaterThan(0);
  expect(framesOf(alice, frameKinds.repairAnswer)).toEqual([]);
});
