import { copyFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { InboxMessage } from '@waxwing/client-core';
import { acquainted, say, talk } from '../support/client-talk.ts';
import { createClientWorld, type ClientWorld, type TestClient } from '../support/client-world.ts';

let world: ClientWorld;
let alice: TestClient;
let bob: TestClient;

beforeEach(async () => {
  world = await createClientWorld();
  [alice, bob] = await acquainted(world);
});
afterEach(() => world.close());

async function sayAll(...texts: string[]): Promise<void> {
  for (const text of texts) await world.wait((await say(world, alice, bob, text)).reached('sent'));
  await world.run(100);
}

async function take(from: AsyncIterator<InboxMessage>, count: number): Promise<InboxMessage[]> {
  const taken: InboxMessage[] = [];
  for (let index = 0; index < count; index += 1) {
    const next = await world.wait(from.next());
    if (!next.done) taken.push(next.value);
  }
  return taken;
}

const texts = (all: readonly InboxMessage[]) => all.map(({ text }) => text);

describe('the inbox', () => {
  test('gives every message once while its reader goes on, as they come, from all conversations', async () => {
    const carol = await world.online();
    const inbox = bob.client.inbox();
    expect(texts(await take(inbox, 1))).toEqual(['hi']);
    const waiting = inbox.next();
    await sayAll('one');
    expect((await world.wait(waiting)).value).toMatchObject({ text: 'one', redelivered: false, late: false });
    await world.wait((await say(world, carol, bob, 'from Carol')).reached('sent'));
    await sayAll('two');
    const rest = await take(inbox, 2);
    expect(texts(rest)).toEqual(['from Carol', 'two']);
    expect(rest[0]).toMatchObject({ from: carol.client.account, conversation: `direct:${carol.client.account}` });
  });

  test('waits for the disk with what is sent, received or done with, and not with what comes again by itself', async () => {
    const commits = new Map([alice, bob].map((device) => [device, [] as boolean[]]));
    const note = (device: TestClient) =>
      world.reopen(device, (store) => ({
        ...store,
        transaction(work, durability) {
          const result = store.transaction(work, durability);
          commits.get(device)?.push(durability?.synced ?? true);
          return result;
        },
      }));
    const since = (device: TestClient) => commits.get(device)?.splice(0);
    for (const device of [alice, bob]) {
      await note(device);
      await world.connect(device);
    }
    const inbox = bob.client.inbox();
    await take(inbox, 1);
    const waiting = inbox.next();
    const conversation = await talk(world, alice, bob);
    const send = async (text: string) => world.wait((await conversation.send({ text })).reached('sent'));
    // What opening the conversation tells and asks is done.
    await world.run(20_000);
    since(alice);
    since(bob);
    await send('one');
    expect(since(alice)).toEqual([true, true, false]);
    const { value } = (await world.wait(waiting)) as IteratorYieldResult<InboxMessage>;
    expect(since(bob)).toEqual([true]);
    value.done();
    expect(since(bob)).toEqual([true]);
    const next = inbox.next();
    await send('two');
    await world.wait(next);
    since(bob);
    void inbox.next();
    await world.settle();
    expect(since(bob)).toEqual([false]);
  });

  test('gives what was not handled again after a restart, marked, and what was handled not', async () => {
    await sayAll('one', 'two');
    expect(texts(await take(bob.client.inbox(), 2))).toEqual(['hi', 'one']);
    await world.reopen(bob);
    await world.connect(bob);
    await sayAll('three');
    const again = await take(bob.client.inbox(), 3);
    expect(again.map(({ text, redelivered }) => [text, redelivered])).toEqual([
      ['one', true],
      ['two', true],
      ['three', false],
    ]);
  });

  test('gives what was not handled again after a crash, at least once, and never loses one', async () => {
    await sayAll('one', 'two', 'three');
    const inbox = bob.client.inbox();
    const taken = await take(inbox, 3);
    taken[1]?.done();
    // What a crash leaves: the file as it is now.
    copyFileSync(bob.path, `${bob.path}.copy`);
    copyFileSync(`${bob.path}-wal`, `${bob.path}.copy-wal`);
    await world.wait(bob.client.close());
    copyFileSync(`${bob.path}.copy`, bob.path);
    copyFileSync(`${bob.path}.copy-wal`, `${bob.path}-wal`);
    await world.reopen(bob);
    const again = await take(bob.client.inbox(), 2);
    expect(again.map(({ text, redelivered }) => [text, redelivered])).toEqual([
      ['two', true],
      ['three', true],
    ]);
  });

  test('keeps each consumer by its name', async () => {
    await sayAll('one', 'two');
    const [bot, log] = [bob.client.inbox({ consumer: 'bot' }), bob.client.inbox({ consumer: 'log' })];
    expect(texts(await take(bot, 3))).toEqual(['hi', 'one', 'two']);
    expect(texts(await take(log, 1))).toEqual(['hi']);
    await world.reopen(bob);
    expect(texts(await take(bob.client.inbox({ consumer: 'bot' }), 1))).toEqual(['two']);
    expect(texts(await take(bob.client.inbox({ consumer: 'log' }), 3))).toEqual(['hi', 'one', 'two']);
    expect(texts(await take(bob.client.inbox({ consumer: 'new' }), 1))).toEqual(['hi']);
  });

  test('gives two readers of one name everything each', async () => {
    const [first, second] = [bob.client.inbox(), bob.client.inbox()];
    await sayAll('one');
    expect(texts(await take(first, 2))).toEqual(['hi', 'one']);
    expect(texts(await take(second, 2))).toEqual(['hi', 'one']);
  });

  test('answers each of two questions that are asked at once', async () => {
    const inbox = bob.client.inbox();
    await take(inbox, 1);
    const both = Promise.all([inbox.next(), inbox.next()]);
    await sayAll('one', 'two');
    const values = (await world.wait(both)).flatMap(
      ({ value }: IteratorResult<InboxMessage, undefined>) => value ?? [],
    );
    expect(texts(values)).toEqual(['one', 'two']);
  });

  test('reads many pages in order', async () => {
    const conversation = await world.wait(alice.client.direct(bob.client.account));
    const all = Array.from({ length: 150 }, (_, index) => `m${index}`);
    for (const text of all) await conversation.send({ text });
    const inbox = bob.client.inbox();
    expect(texts(await take(inbox, 151))).toEqual(['hi', ...all]);
  });

  test('ends where its reader leaves, and what it had is handled', async () => {
    await sayAll('one', 'two');
    for await (const message of bob.client.inbox()) {
      if (message.text === 'one') break;
    }
    await world.reopen(bob);
    expect(texts(await take(bob.client.inbox(), 2))).toEqual(['one', 'two']);
  });

  test('ends when the client closes: for who waits, who has one in hand, and who comes later', async () => {
    const inbox = bob.client.inbox();
    const [last] = await take(inbox, 1);
    const waiting = inbox.next();
    await world.wait(bob.client.close());
    expect(await world.wait(waiting)).toEqual({ done: true, value: undefined });
    expect(await world.wait(inbox.next())).toEqual({ done: true, value: undefined });
    expect(() => last?.done()).not.toThrow();
    const late = bob.client.inbox();
    expect(await world.wait(late.next())).toEqual({ done: true, value: undefined });
    expect(bob.client.conversations().getSnapshot().state).toBe('error');
  });
});

describe('events', () => {
  test('reach every listener from when it asked, each of two questions asked at once, and end with the client', async () => {
    const events = bob.client.events();
    const both = Promise.all([events.next(), events.next()]);
    bob.link.cut();
    await world.until(() => bob.client.connection.getSnapshot().state === 'online');
    bob.link.cut();
    const got = await world.wait(both);
    expect(got.map(({ value }) => (value as { type?: string } | undefined)?.type)).toEqual([
      'lostConnection',
      'lostConnection',
    ]);
    await world.wait(bob.client.close());
    expect(await events.next()).toEqual({ done: true, value: undefined });
    expect(await bob.client.events().next()).toEqual({ done: true, value: undefined });
  });

  test('wait for who does not take them, up to a thousand: then the oldest go', async () => {
    const { EventHub } = await import('../../client-core/src/events.ts');
    const hub = new EventHub();
    const events = hub.listen();
    for (let count = 1; count <= 1_005; count += 1) hub.emit({ type: 'lostConnection', reason: String(count) });
    expect((await events.next()).value).toEqual({ type: 'lostConnection', reason: '6' });
    await events.return?.();
    hub.emit({ type: 'storeFull' });
    hub.close();
    const rest: unknown[] = [];
    for await (const event of events) rest.push(event);
    expect(rest).toHaveLength(999);
  });
});
