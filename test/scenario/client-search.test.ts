import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ClosedError, type ConversationId, type SearchOptions } from '@waxwing/client-core';
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

const sent = async (from: TestClient, to: TestClient, text: string): Promise<void> => {
  await world.wait((await say(world, from, to, text)).reached('delivered'));
};
const texts = async (query: string, options?: SearchOptions): Promise<(string | undefined)[]> =>
  (await bob.client.search(query, options)).items.map(({ message }) => message.text);

describe('a device searches its own history', () => {
  test('in all conversations, in one, and of one writer; the newest first, page by page', async () => {
    const carol = await world.online();
    await sent(alice, bob, 'the first boat');
    await sent(bob, alice, 'my boat');
    await sent(carol, bob, 'a boat of Carol');
    expect(await texts('boat')).toEqual(['a boat of Carol', 'my boat', 'the first boat']);
    const conversation = (await talk(world, bob, alice)).id;
    expect(await texts('boat', { conversation })).toEqual(['my boat', 'the first boat']);
    expect(await texts('boat', { from: alice.client.account })).toEqual(['the first boat']);
    expect(await texts('boat', { from: bob.client.account, conversation })).toEqual(['my boat']);
    const first = await bob.client.search('boat', { limit: 2 });
    expect(first.items).toHaveLength(2);
    expect(await texts('boat', { limit: 2, ...(first.before !== null && { before: first.before }) })).toEqual([
      'the first boat',
    ]);
  });

  test('and gets each message as the history has it, with the stretch that was found; all of it passes through JSON', async () => {
    await sent(alice, bob, 'a needle in hay');
    const page = await bob.client.search('need*');
    const history = (await talk(world, bob, alice)).history({ limit: 1 }).getSnapshot().items;
    expect(page.items.map(({ message }) => ({ kind: 'message', ...message }))).toEqual(history);
    expect(page.items[0]?.snippet).toEqual([
      { text: 'a ', match: false },
      { text: 'needle', match: true },
      { text: ' in hay', match: false },
    ]);
    expect(JSON.parse(JSON.stringify(page))).toMatchObject({ items: [{ message: { text: 'a needle in hay' } }] });
  });

  test('finds nothing where there is nothing: no words, no such conversation, nobody of that account', async () => {
    await sent(alice, bob, 'something');
    const empty = { items: [], before: null };
    expect(await bob.client.search('')).toEqual(empty);
    expect(await bob.client.search('"*( NEAR')).toEqual(empty);
    expect(await texts('something')).toHaveLength(1);
    const nobody = '00000000-0000-4000-8000-000000000000';
    for (const name of [`direct:${nobody}`, 'direct:', 'what?']) {
      // An id that an app kept from elsewhere.
      const conversation = name as ConversationId;
      expect(await bob.client.search('something', { conversation })).toEqual(empty);
    }
    const stranger = await world.create();
    expect(await bob.client.search('something', { from: stranger.client.account })).toEqual(empty);
  });

  test('and not once it is closed', async () => {
    await world.wait(bob.client.close());
    await expect(bob.client.search('hi')).rejects.toBeInstanceOf(ClosedError);
  });
});
