import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { registerProfile, startServe, temporaryFolder } from '../support/cli.ts';
import { Terminal, whyNoTerminal } from '../support/cli-terminal.ts';
import { endProcesses } from '../support/processes.ts';

const missing = whyNoTerminal();
if (missing !== undefined) console.warn(`skipped: ${missing}`);
const ENDS_WITHIN_MS = 30_000;

/** The processes that have a word in their command line, as the system knows them. */
function processesWith(word: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return words[0] === process.execPath && words.includes(word);
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function until(isSo: () => boolean, timeoutMs: number): Promise<boolean> {
  for (const end = Date.now() + timeoutMs; Date.now() < end;) {
    if (isSo()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return isSo();
}

describe.skipIf(missing !== undefined)('a program whose terminal is closed ends, and goes on in nobody’s sight', () => {
  const { path, remove } = temporaryFolder('hangup');
  afterAll(async () => {
    await endProcesses();
    remove();
  });

  async function closeOn(args: readonly string[], marker: string, isUp: (screen: string) => boolean): Promise<boolean> {
    const terminal = new Terminal(`hangup-${args[0] ?? ''}`, args, { columns: 100, rows: 20 });
    await terminal.until(isUp);
    const before = processesWith(marker);
    expect(before).toHaveLength(1);
    terminal.end();
    const isGone = await until(() => processesWith(marker).length === 0, ENDS_WITHIN_MS);
    for (const pid of processesWith(marker)) process.kill(pid, 'SIGKILL');
    return isGone;
  }

  it('serve', async () => {
    const data = join(path, 'relay');
    const args = ['serve', '--data', data, '--port', '0', '--admin-port', 'off'];
    expect(await closeOn(args, data, (screen) => screen.includes('waxwing listens'))).toBe(true);
  }, 120_000);

  it('chat', async () => {
    const { url } = await startServe(['--data', join(path, 'other'), '--port', '0', '--admin-port', 'off']);
    const { profile } = await registerProfile(url, join(path, 'alice'));
    expect(await closeOn(['chat', '--profile', profile], profile, (screen) => screen.includes('/help'))).toBe(true);
  }, 120_000);
});
