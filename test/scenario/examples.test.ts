import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Client } from '@waxwing/client-core';
import { startTestWorld } from '../support/in-process-server.ts';
import { endProcesses, RunningProcess } from '../support/processes.ts';

let world: Awaited<ReturnType<typeof startTestWorld>>;
beforeEach(async () => {
  world = await startTestWorld();
});
afterEach(async () => {
  await endProcesses();
  await world.end();
});

async function say(from: Client, to: string, text: string): Promise<void> {
  await (await (await from.direct(to)).send({ text })).reached('sent');
}

test('the bot answers each message once, also when it is killed in between', { timeout: 120_000 }, async () => {
  const person = await world.client('person');
  await person.connect();
  const inbox = person.inbox();
  const answer = async () => {
    const { value } = (await inbox.next()) as { value: { text?: string } };
    return value.text;
  };
  const start = async () => {
    const bot = new RunningProcess('examples/bot.ts', [world.server.url, join(world.folder, 'bot')]);
    return { bot, account: await bot.line((line) => /^[0-9a-f-]{36}$/.test(line)) };
  };

  const first = await start();
  await say(person, first.account, 'one');
  expect(await answer()).toBe('You said: one');
  first.bot.kill('SIGKILL');
  await first.bot.exit();
  await say(person, first.account, 'two');

  const second = await start();
  expect(second.account).toBe(first.account);
  expect(await answer()).toBe('You said: two');
  await say(person, first.account, 'three');
  expect(await answer()).toBe('You said: three');
  second.bot.kill('SIGTERM');
  expect(await second.bot.exit()).toEqual({ code: 0, signal: null });
});

test('two people talk', { timeout: 60_000 }, async () => {
  const run = new RunningProcess('examples/two-people.ts', [world.server.url]);
  expect(await run.exit()).toEqual({ code: 0, signal: null });
  expect(run.errors).toBe('');
  expect(run.lines).toEqual(['Bob reads: Are you there?', 'Alice reads: I am.', 'Alice: Are you there?', 'Bob: I am.']);
});
