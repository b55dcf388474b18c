import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Up } from '@waxwing/protocol';
import { acquainted, holesOf, say, shown, talk } from '../support/client-talk.ts';
import { createClientWorld, type ClientWorld, type TestClient } from '../support/client-world.ts';

const DAY = 86_400_000;
let world: ClientWorld;
let bob: TestClient;
let carol: TestClient;

beforeEach(async () => {
  world = await createClientWorld();
  [, bob] = await acquainted(world);
  carol = await world.online();
});
afterEach(() => world.close());

const keyOf = async ({ client: { account, device } }: TestClient) => {
  const stored = await world.storage.directory.deviceList(account);
  return { account, device, addedIn: stored?.list.devices[0]?.addedIn ?? 1 };
};
const pairOf = async (device: TestClient) =>
  (await world.storage.prekeys.repeated(await keyOf(device)))?.signedPrekey.id;

/** Carol's first message to Bob under his keys of now; it does not leave her device yet. */
async function frameFirstMessage(): Promise<void> {
  const isSubmit = (up: Up) => up.type === 'submit';
  carol.link.up = (up) => (isSubmit(up) ? [] : [up]);
  await say(world, carol, bob, 'a late first message');
  await world.run(1_000);
  expect(carol.frames).toHaveLength(1);
  await world.wait(carol.client.close());
  carol.link.up = (up) => [up];
}

async function pass(device: TestClient, days: number): Promise<void> {
  world.runtime.stepClock(days * DAY);
  await world.reopen(device);
  await world.connect(device);
  await world.run(1_000);
}

async function sendIt(): Promise<void> {
  await world.reopen(carol);
  await world.connect(carol);
  await world.run(1_000);
}

describe("a first message under a device's keys of before", () => {
  test.each(['one-time', 'last-resort'])('with a %s key is read within 30 days of their replacement', async (kind) => {
    if (kind === 'last-resort') await takeAll();
    const before = await pairOf(bob);
    await frameFirstMessage();
    await pass(bob, 8);
    const after = await pairOf(bob);
    expect(after).not.toBe(before);
    await pass(bob, 5);
    expect(await pairOf(bob)).toBe(after);
    await pass(bob, 15);
    await sendIt();
    expect(holesOf(bob)).toEqual([]);
    expect(await shown(world, bob, carol)).toEqual(['a late first message']);
  });

  test('is refused without harm once they are deleted: it is a hole, which its sender fills under the keys of now', async () => {
    await frameFirstMessage();
    await pass(bob, 8);
    // The file had it for 30 days, and a day more at most.
    await pass(bob, 31);
    await sendIt();
    expect(holesOf(bob)).toContainEqual(expect.objectContaining({ reason: 'undecryptable' }));
    await world.wait((await say(world, carol, bob, 'and another')).reached('sent'));
    await world.until(() => bob.events.some(({ type }) => type === 'holeFilled'));
    expect(await shown(world, bob, carol)).toEqual(['a late first message', 'and another']);
    const [conversation] = [await talk(world, bob, carol)];
    expect((await conversation.coverage()).holes).toEqual([]);
  });
});

test('the server has verified the pair that it serves: a peer begins a session with it', async () => {
  await pass(bob, 8);
  await takeAll();
  await world.wait((await say(world, carol, bob, 'under the new keys')).reached('delivered'));
  expect(await shown(world, bob, carol)).toEqual(['under the new keys']);
});

test('an upload that the server had, and whose answer was lost, is the same one again; who used it meanwhile is read', async () => {
  const bodies: string[] = [];
  let isLost = true;
  bob.http = async (request, send) => {
    const answer = await send(request);
    if (request.method !== 'PUT' || !request.url.endsWith('/v1/prekeys')) return answer;
    bodies.push(Buffer.from(request.body ?? []).toString());
    if (isLost) throw new Error('answer lost');
    return answer;
  };
  const before = await pairOf(bob);
  await pass(bob, 8);
  expect(await pairOf(bob)).not.toBe(before);
  await takeAll();
  await world.wait((await say(world, carol, bob, 'under the new keys')).reached('delivered'));
  isLost = false;
  await pass(bob, 1);
  const kept = bodies.filter((body) => body === bodies[0]);
  expect(kept).toHaveLength(2);
  expect(await shown(world, bob, carol)).toEqual(['under the new keys']);
});

async function takeAll(): Promise<void> {
  const key = await keyOf(bob);
  while ((await world.storage.prekeys.count(key)).oneTimeKyberKeys > 0) {
    await world.storage.prekeys.take(key, { oneTime: true });
  }
}
