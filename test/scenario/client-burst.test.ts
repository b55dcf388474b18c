import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { limits } from '@waxwing/protocol';
import { acquainted, say, shown, talk } from '../support/client-talk.ts';
import { createClientWorld, type ClientWorld, type TestClient } from '../support/client-world.ts';

let world: ClientWorld;
let alice: TestClient;
let bob: TestClient;
let commits: number;

beforeEach(async () => {
  world = await createClientWorld();
  [alice, bob] = await acquainted(world);
  await world.reopen(alice, (store) => ({
    ...store,
    transaction(work, durability) {
      commits += 1;
      return store.transaction(work, durability);
    },
  }));
  commits = 0;
});
afterEach(() => world.close());

const texts = (count: number): string[] => Array.from({ length: count }, (_text, index) => `number ${index}`);

describe('messages that are sent in one turn', () => {
  test('share a commit, and keep their order', async () => {
    const conversation = await talk(world, alice, bob);
    await Promise.all(texts(20).map((text) => conversation.send({ text })));
    expect(commits).toBe(1);
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', ...texts(20).map((text) => `${text}?`)]);
  });

  test('are refused one by one: where the id is that of another, that one alone', async () => {
    const conversation = await talk(world, alice, bob);
    const sent = await Promise.allSettled([
      conversation.send({ text: 'a' }, { id: 'one' }),
      conversation.send({ text: 'b' }, { id: 'one' }),
      conversation.send({ text: 'a' }, { id: 'one' }),
      conversation.send({ text: 'c' }, { id: 'two' }),
    ]);
    expect(sent.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(sent[1]).toMatchObject({ reason: { code: 'id_taken' } });
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'a?', 'c?']);
  });

  test('are all kept where the client is closed in that turn', async () => {
    const conversation = await talk(world, alice, bob);
    const sent = Promise.all(texts(3).map((text) => conversation.send({ text })));
    const closed = alice.client.close();
    await sent;
    await world.wait(closed);
    await world.reopen(alice);
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', ...texts(3).map((text) => `${text}?`)]);
  });
});

describe('messages to several', () => {
  test('go as far as the window of all conversations, and then when an answer makes room', async () => {
    const others = [bob];
    while (others.length * limits.windowPerHandle <= limits.windowInAll) others.push(await world.create());
    const conversations = await Promise.all(others.map((other) => talk(world, alice, other)));
    await world.connect(alice);
    const first = await Promise.all(
      conversations.map((conversation) => conversation.send({ text: 'so keys are there' })),
    );
    await world.wait(Promise.all(first.map((message) => message.reached('sent'))));
    alice.link.ups.length = 0;
    alice.link.down = (down) => (down.type === 'accepted' ? [] : [down]);
    const sending = conversations.flatMap((conversation) => texts(20).map((text) => conversation.send({ text })));
    const sent = await Promise.all(sending);
    await world.settle();
    const submits = () => alice.link.ups.filter(({ type }) => type === 'submit').length;
    await world.until(() => submits() >= limits.windowInAll);
    await world.settle();
    expect(submits()).toBe(limits.windowInAll);
    alice.link.down = (down) => [down];
    alice.link.cut();
    await world.wait(Promise.all(sent.map((message) => message.reached('sent'))));
  });

  test('do not wait for one whose keys the keyserver does not give out, which is asked once', async () => {
    const carol = await world.create();
    const [toCarol, toBob] = [await talk(world, alice, carol), await talk(world, alice, bob)];
    await world.connect(alice);
    let asked = 0;
    let giveOut = (): void => undefined;
    const kept = new Promise<void>((resolve) => (giveOut = resolve));
    alice.http = async (request, send) => {
      if (request.url.endsWith('/v1/bundles')) {
        asked += 1;
        await kept;
      }
      return send(request);
    };
    const [first, second] = await Promise.all([toCarol.send({ text: 'first' }), toBob.send({ text: 'second' })]);
    await world.wait(second.reached('sent'));
    await toCarol.send({ text: 'third' });
    await world.settle();
    expect(asked).toBe(1);
    expect(first.status.getSnapshot().state).toBe('queued');
    giveOut();
    await world.wait(first.reached('sent'));
  });
});

describe('keys', () => {
  let asked: number;
  const countAsked = (): void => {
    asked = 0;
    alice.http = (request, send) => {
      if (request.url.endsWith('/v1/bundles')) asked += 1;
      return send(request);
    };
  };
  const fillWindow = async (): Promise<void> => {
    const others = [bob];
    while (others.length * limits.windowPerHandle < limits.windowInAll) others.push(await world.create());
    const conversations = await Promise.all(others.map((other) => talk(world, alice, other)));
    await world.connect(alice);
    const first = await Promise.all(conversations.map((conversation) => conversation.send({ text: 'for the keys' })));
    await world.wait(Promise.all(first.map((message) => message.reached('sent'))));
    alice.link.down = (down) => (down.type === 'accepted' ? [] : [down]);
    await Promise.all(conversations.flatMap((one) => texts(limits.windowPerHandle).map((text) => one.send({ text }))));
    await world.settle();
  };

  test('are not taken while the window is full, however often something is looked at, and then once', async () => {
    const carol = await world.create();
    const toCarol = await talk(world, alice, carol);
    await fillWindow();
    countAsked();
    const sent = [];
    for (const text of texts(5)) {
      sent.push(await toCarol.send({ text }));
      await world.settle();
    }
    await world.run(30_000);
    expect(asked).toBe(0);
    alice.link.down = (down) => [down];
    alice.link.cut();
    await world.wait(Promise.all(sent.map((message) => message.reached('sent'))));
    expect(asked).toBe(1);
  });

  test('of many at once are asked for once each', async () => {
    const others: TestClient[] = [];
    while (others.length < 8) others.push(await world.create());
    const conversations = await Promise.all(others.map((other) => talk(world, alice, other)));
    await world.connect(alice);
    countAsked();
    const sent = await Promise.all(conversations.map((conversation) => conversation.send({ text: 'hi' })));
    await world.wait(Promise.all(sent.map((message) => message.reached('sent'))));
    expect(asked).toBe(others.length);
  });
});

test('an app that fails over what it is told keeps no client from closing', async () => {
  const conversation = await talk(world, alice, bob);
  const unsubscribe = conversation.history().subscribe(() => {
    throw new Error('of the app');
  });
  const sent = conversation.send({ text: 'kept' });
  await world.wait(alice.client.close());
  await sent;
  unsubscribe();
  await world.reopen(alice);
  expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'kept?']);
});

test('what is queued while nobody can be reached goes when somebody can', async () => {
  const sent = await say(world, alice, bob, 'later');
  expect(sent.status.getSnapshot().state).toBe('queued');
  await world.connect(alice);
  await world.wait(sent.reached('delivered'));
  expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'later']);
});
