import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerProfile, runCommand, startServe, temporaryFolder, waxwing } from '../support/cli.ts';
import { Terminal, whyNoTerminal } from '../support/cli-terminal.ts';
import { endProcesses } from '../support/processes.ts';

const missing = whyNoTerminal();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('the chat in a terminal', () => {
  const { path: folder, remove } = temporaryFolder('terminal');
  const alice = join(folder, 'alice');
  const bob = join(folder, 'bob');
  let terminal: Terminal | undefined;

  beforeAll(async () => {
    const { url } = await startServe(['--data', join(folder, 'relay'), '--port', '0', '--admin-port', 'off']);
    await registerProfile(url, alice, 'alice');
    await registerProfile(url, bob, 'bob');
    terminal = new Terminal('chat', ['chat', '--profile', alice, '--with', 'bob'], { columns: 60, rows: 16 });
  }, 120_000);

  afterAll(async () => {
    terminal?.end();
    await endProcesses();
    remove();
  });

  it('marks change where they stand, and what is being typed stays', { timeout: 120_000 }, async () => {
    const chat = terminal!;
    await chat.until((screen) => screen.includes('bob>'));
    const long = 'a line that is longer than this terminal is wide, 你好, so that it takes two rows';
    chat.type('first');
    chat.type(long);
    const sent = await chat.until((screen) => (screen.match(/ ✓ {2}me: /g) ?? []).length === 2);
    // What was typed is there once: as a message.
    expect(sent.match(/first/g)).toHaveLength(1);

    const half = 'half a sentence that has grown longer than this terminal is wide, and that nobody has sent';
    for (const key of half) chat.keys(key);
    await chat.until((screen) => screen.endsWith(`bob> ${half}`));
    const reader = waxwing(['tail', '--profile', bob]);
    await reader.count(2);
    const delivered = await chat.until((screen) => (screen.match(/ ✓✓ me: /g) ?? []).length === 2);
    expect(delivered).not.toMatch(/ ✓ {2}me: /);
    reader.kill('SIGTERM');
    await reader.exit();
    await runCommand(['send', '--profile', bob, '--to', 'alice', 'I \u001b[2J\u001b[31mread it']);
    const answered = await chat.until((screen) => screen.includes('read it'));
    expect(answered).toContain('bob: I [2J[31mread it');
    expect(answered.split('\n').at(-1)).toBe(`bob> ${half}`);
    expect(answered).toContain('✓✓ me: first');
    expect(answered).toContain(`✓✓ me: ${long}`);

    chat.interrupt();
    const ended = await chat.until((screen) => screen.includes('ended with'));
    expect(ended).toContain('ended with 0');
  });
});

it('a terminal may be missing, but in CI it may not', () => {
  const nowhere = { PATH: '/nowhere' };
  expect(whyNoTerminal(nowhere)).toContain('tmux is not installed');
  expect(whyNoTerminal({ ...nowhere, CI: 'false' })).toContain('tmux is not installed');
  expect(whyNoTerminal({ ...nowhere, CI: 'true' })).toBeUndefined();
});
