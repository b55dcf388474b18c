import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startServe, temporaryFolder } from '../support/cli.ts';
import { endProcesses, RunningProcess } from '../support/processes.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const PORT = 7_700;
/** Where the lines make their own folders. */
const folder = temporaryFolder('ten-lines');

beforeAll(async () => {
  await new Promise<void>((resolve, reject) => {
    const probe = createServer();
    probe.once('error', () => reject(new Error(`port ${PORT}, which the ten lines name, is taken on this machine`)));
    probe.listen(PORT, '127.0.0.1', () => probe.close(() => resolve()));
  });
  await startServe(['--dev', '--port', String(PORT), '--admin-port', 'off']);
}, 60_000);

afterAll(async () => {
  await endProcesses();
  folder.remove();
});

it('the ten lines run as they stand, twice in a row against one server', { timeout: 120_000 }, async () => {
  for (let run = 1; run <= 2; run++) {
    const lines = new RunningProcess('examples/ten-lines.ts', [], { TMPDIR: folder.path });
    const { code } = await lines.exit();
    expect({ code, errors: lines.errors }).toEqual({ code: 0, errors: '' });
    expect(lines.lines).toHaveLength(1);
    expect(lines.lines[0]).toMatch(/^[0-9a-f-]{36} hello$/);
  }
});

it('the README shows the same ten lines', () => {
  const [, block = ''] = /```ts\n([\s\S]*?)```/.exec(read('README.md')) ?? [];
  const example = read('examples/ten-lines.ts').replace(/^(?:\/\/.*\n|\s*\n)+/, '');
  expect(block).toBe(example);
  expect(block.trimEnd().split('\n')).toHaveLength(10);
});
