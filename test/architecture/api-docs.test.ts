import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from './sources.ts';

/** What typedoc says of the public surface with the project's settings; nothing where it is content. */
function typedoc(...args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const bin = join(root, 'node_modules/typedoc/bin/typedoc');
    execFile(process.execPath, [bin, '--emit', 'none', ...args], { cwd: root }, (error, stdout, stderr) => {
      resolve(`${error === null ? '' : 'failed\n'}${stdout}${stderr}`);
    });
  });
}

it('everything that client-core exports is documented, and names only what is exported too', async () => {
  expect(await typedoc()).toBe('');
}, 300_000);

it('what is not documented is told, so that this sees what it looks for', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'waxwing-docs-'));
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  const options: unknown = JSON.parse(readFileSync(join(root, 'typedoc.json'), 'utf8'));
  const changed = { entryPoints: ['index.ts'], tsconfig: 'tsconfig.json', readme: 'none' };
  write('typedoc.json', JSON.stringify(Object.assign({}, options, changed)));
  write('tsconfig.json', '{ "compilerOptions": { "types": [] }, "files": ["index.ts"] }');
  write('index.ts', 'export type Bare = { readonly count: number };');
  const said = await typedoc('--options', join(folder, 'typedoc.json'));
  rmSync(folder, { recursive: true });
  expect(said).toMatch(/^failed\n/);
  expect(said).toMatch(/Bare \(TypeAlias\).* does not have any documentation/);
}, 300_000);
