// How an app is tested with @waxwing/testing: real clients, a server in this process, and an hour that takes no time.

import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Client } from '@waxwing/client-core';
import { createTestWorld, type TestWorld } from '@waxwing/testing';
import { runReminder } from './reminder.ts';

let world: TestWorld;
let alice: Client;
let app: Client;

beforeEach(async () => {
  world = await createTestWorld();
  alice = await world.client('alice');
  app = await world.client('app');
  void runReminder(app, world.runtime.timers);
});
afterEach(() => world.close());

const ask = async (text: string) => (await alice.direct(app.account)).send({ text });

/** The newest text of the conversation, whoever wrote it. */
const newest = () => alice.conversations().getSnapshot().items[0]?.lastMessage?.text;

test('what was asked for comes at its time, and not before', async () => {
  await ask('remind me in 60 minutes: tea');
  await world.advance(59 * 60_000);
  expect(newest()).not.toBe('tea');
  await world.advance(60_000);
  expect(newest()).toBe('tea');
});

test('somebody who is away at that time is reminded when he is back', async () => {
  await ask('remind me in 10 minutes: bread');
  await world.settle();
  world.device('alice').network.offline();
  await world.advance(20 * 60_000);
  expect(newest()).not.toBe('bread');
  world.device('alice').network.online();
  await world.until(() => newest() === 'bread');
});

test('a request that comes while the server is down is served when it is up', async () => {
  world.server.kill();
  await ask('remind me in 1 minutes: salt');
  await world.advance(5_000);
  await world.server.start();
  await world.until(() => app.connection.getSnapshot().state === 'online');
  await world.advance(120_000);
  expect(newest()).toBe('salt');
});
