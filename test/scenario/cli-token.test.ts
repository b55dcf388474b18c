import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openClient } from '@waxwing/client-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { registerProfile, runCommand, temporaryFolder } from '../support/cli.ts';
import { startTestWorld } from '../support/in-process-server.ts';
import { endProcesses } from '../support/processes.ts';

const root = join(import.meta.dirname, '../..');
const folder = temporaryFolder('token');
/** Programs take long to start on a machine that does much else. */
const PATIENCE_MS = 180_000;
let world: Awaited<ReturnType<typeof startTestWorld>>;
let url = '';
beforeAll(async () => {
  world = await startTestWorld();
  ({ url } = world.server);
});
afterAll(async () => {
  await endProcesses();
  await world.end();
  folder.remove();
});

/** Runs shell lines with `waxwing` from the sources and `curl` as far as they use it; resolves with what they print. */
async function shell(script: string): Promise<string[]> {
  const node = `${process.execPath} --conditions=waxwing-source --import tsx`;
  const commands = ['waxwing() { NODE cli/src/main.ts "$@"; }', 'curl() { NODE test/support/curl.ts "$@"; }'];
  const text = [...commands.map((line) => line.replace('NODE', node)), script].join('\n');
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(WAXWING|VITEST)/.test(name)));
  const { stdout } = await promisify(execFile)('sh', ['-e', '-c', text], { cwd: root, env });
  return stdout.trimEnd().split('\n');
}

it(
  'the lines of the documentation call the server as they stand',
  async () => {
    const page = readFileSync(join(root, 'docs/operations.md'), 'utf8');
    const [, block = ''] = /## Calling the API by hand[\s\S]*?```sh\n([\s\S]*?)```/.exec(page) ?? [];
    expect(block.match(/^curl /gm)).toHaveLength(2);
    const script = block.replaceAll('http://127.0.0.1:7700', url).replaceAll('/tmp/', `${folder.path}/`);
    const [registered, count, bundles] = (await shell(script)).map((line): unknown => JSON.parse(line));
    expect(registered).toMatchObject({ username: 'alice' });
    expect(count).toEqual({ oneTimeKeys: 100, oneTimeKyberKeys: 100 });
    expect(bundles).toEqual({ bundles: [] });
  },
  PATIENCE_MS,
);

it(
  'a token is for one request to one server, by method, path and body',
  async () => {
    const { profile } = await registerProfile(url, join(folder.path, 'bob'));
    const body = JSON.stringify({ hash: 'A'.repeat(43) });
    const args = ['token', '--profile', profile, '--aud', url, '--method', 'post', '--path', '/v1/usernames/lookup'];
    const made = await runCommand([...args, '--body', '-'], [body]);
    expect(made).toMatchObject({ code: 0, errors: '' });
    const [token = ''] = made.lines;
    const codeOf = async (path: string, text: string, authorization: string): Promise<unknown> => {
      const headers = { authorization: `Bearer ${authorization}`, 'content-type': 'application/json' };
      const answer = await fetch(`${url}${path}`, { method: 'POST', headers, body: text });
      return ((await answer.json()) as { code?: unknown }).code;
    };
    // The input was a line with its end.
    expect(await codeOf('/v1/usernames/lookup', `${body}\n`, token)).toBe('not_found');
    expect(await codeOf('/v1/usernames/lookup', body, token)).toBe('token_replayed');
    expect(await codeOf('/v1/bundles', `${body}\n`, token)).toBe('token_replayed');
    const other = await runCommand(['token', '--profile', profile, '--aud', 'https://other.example', '--path', '/']);
    expect(await codeOf('/v1/usernames/lookup', body, other.lines[0] ?? '')).toBe('token_audience');
  },
  PATIENCE_MS,
);

it(
  'a profile that is open elsewhere, or is none, gives no token',
  async () => {
    const { profile } = await registerProfile(url, join(folder.path, 'carol'));
    const key = Buffer.from(readFileSync(join(profile, 'device.key'), 'utf8').trim(), 'hex');
    const client = await openClient({ store: { path: join(profile, 'device.db'), key } });
    const asked = (path: string) => runCommand(['token', '--profile', path, '--aud', url, '--path', '/']);
    expect(await asked(profile)).toMatchObject({
      code: 1,
      lines: [],
      errors: expect.stringContaining('open') as string,
    });
    await client.close();
    expect(await asked(join(folder.path, 'nobody'))).toMatchObject({ code: 1, lines: [] });
  },
  PATIENCE_MS,
);
