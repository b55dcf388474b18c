import { Window } from 'happy-dom';
import { act, createElement, type ReactNode } from 'react';
import type { Root } from 'react-dom/client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Client, DirectConversation, Observable } from '@waxwing/client-core';
import { createTestWorld, type TestWorld } from '@waxwing/testing';
import { ConversationView } from '../../../examples/react/conversation-view.tsx';
import { useLive } from '../../../examples/react/use-live.ts';

let root: Root;
const window = new Window();
const page = window.document.body;

beforeEach(async () => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
  vi.stubGlobal('window', window);
  vi.stubGlobal('document', window.document);
  vi.stubGlobal('navigator', window.navigator);
  // Whatever React has to say is a fault of the example.
  vi.spyOn(console, 'error').mockImplementation((said: unknown) => {
    throw new Error(String(said));
  });
  const { createRoot } = await import('react-dom/client');
  root = createRoot(page);
});
afterEach(async () => {
  await act(async () => root.unmount());
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const show = (view: ReactNode) => act(async () => root.render(view));

test('a component subscribes once while it is there, and lets go when it goes', async () => {
  const listeners = new Set<() => void>();
  let value = 1;
  let subscribed = 0;
  const source: Observable<number> = {
    getSnapshot: () => value,
    subscribe(listener) {
      subscribed += 1;
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const Shown = () => createElement('b', {}, useLive(source));
  await show(createElement(Shown));
  for (const next of [2, 3, 4]) {
    value = next;
    await act(async () => listeners.forEach((listener) => listener()));
  }
  expect({ text: page.textContent, subscribed }).toEqual({ text: '4', subscribed: 1 });
  await show(null);
  expect(listeners.size).toBe(0);
});

test('a conversation shows what is sent and received, and how far it is', async () => {
  const world: TestWorld = await createTestWorld();
  const alice: Client = await world.client('alice');
  const bob: Client = await world.client('bob');
  const conversation: DirectConversation = await alice.direct(bob.account);
  const rows = () => [...page.querySelectorAll('li')].map((row) => row.textContent.trim());
  const heading = () => page.querySelector('h1')?.textContent;

  await show(createElement(ConversationView, { conversation, connection: alice.connection }));
  expect([heading(), rows()]).toEqual(['online', []]);
  world.device('alice').network.offline();
  await act(async () => {
    await conversation.send({ text: 'hello' });
    await world.settle();
  });
  expect([heading(), rows()]).toEqual(['offline', ['hello …']]);
  world.device('alice').network.online();
  await act(() => world.advance(20_000));
  expect([heading(), rows()]).toEqual(['online', ['hello ✓✓']]);
  await act(async () => {
    await (await bob.direct(alice.account)).send({ text: 'hi' });
    await world.settle();
  });
  expect(rows()).toEqual(['hello ✓✓', 'hi']);
  await act(() => world.close());
});
