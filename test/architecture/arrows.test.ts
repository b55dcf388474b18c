import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const workspaces = ['protocol', 'storage', 'keyserver', 'relay', 'client-core', 'cli', 'test/kit'];
const sources = workspaces.map((name) => `${name}/src`);

type Violation = { readonly from: string; readonly to: string; readonly rule: { readonly name: string } };
type Cruise = { readonly summary: { readonly violations: readonly Violation[]; readonly totalCruised: number } };

/** What dependency-cruiser says of the sources under a folder, with the project's rules. */
async function cruise(folder: string): Promise<Cruise['summary']> {
  const cruiser = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const args = [cruiser, '--config', '.dependency-cruiser.cjs', '--output-type', 'json', ...sources];
  // Its exit code is the number of violations: what counts is the report.
  const report = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, { cwd: folder, maxBuffer: 2 ** 28 }, (_, stdout) => resolve(stdout));
  });
  return (JSON.parse(report) as Cruise).summary;
}

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

/** A small project of the same shape in a new folder: the files that every one has, and those given. */
async function project(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'waxwing-arrows-'));
  folders.push(folder);
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  await cp(join(root, '.dependency-cruiser.cjs'), join(folder, '.dependency-cruiser.cjs'));
  for (const name of ['tsconfig.json', 'tsconfig.base.json']) await cp(join(root, name), join(folder, name));
  await write('package.json', '{ "type": "module" }');
  await mkdir(join(folder, 'node_modules/@waxwing'), { recursive: true });
  for (const name of workspaces) {
    await write(`${name}/src/index.ts`, 'export const here = 1;\n');
    await cp(join(root, name, 'package.json'), join(folder, name, 'package.json'));
    const as = name === 'test/kit' ? 'testing' : name;
    await symlink(join(folder, name), join(folder, 'node_modules/@waxwing', as));
  }
  for (const name of ['@signalapp/libsignal-client', '@signalapp/sqlcipher', 'ws', 'unlisted']) {
    const manifest = { name, version: '1.0.0', type: 'module', exports: './dist/index.js' };
    await write(`node_modules/${name}/package.json`, JSON.stringify(manifest));
    await write(`node_modules/${name}/dist/index.js`, 'export const here = 1;\n');
  }
  for (const [path, text] of Object.entries(files)) await write(path, text);
  return folder;
}

const imports = (what: string) => `import { here } from '${what}';\nexport const there = here;\n`;
const importsType = (what: string) => `import type { Here } from '${what}';\nexport type There = Here;\n`;

describe('the sources', () => {
  it('keep the arrow rule', async () => {
    const { violations, totalCruised } = await cruise(root);
    expect(violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`)).toEqual([]);
    expect(totalCruised).toBeGreaterThan(50);
  }, 120_000);
});

/** Where a violation is planted, what it is, and the rule that must catch it. */
const planted: readonly (readonly [path: string, text: string, rule: string])[] = [
  ['protocol/src/a.ts', imports('@waxwing/storage'), 'protocol-knows-nobody'],
  ['protocol/src/b.ts', importsType('@waxwing/client-core'), 'protocol-knows-nobody'],
  ['storage/src/a.ts', importsType('@waxwing/relay'), 'storage-knows-protocol'],
  ['keyserver/src/a.ts', imports('@waxwing/relay'), 'keyserver-knows-storage-protocol'],
  ['relay/src/a.ts', imports('../../keyserver/src/index.ts'), 'relay-knows-storage-protocol'],
  ['client-core/src/a.ts', importsType('@waxwing/storage'), 'client-core-knows-protocol'],
  ['client-core/src/b.ts', "export const late = import('@waxwing/relay');\n", 'client-core-knows-protocol'],
  ['cli/src/a.ts', imports('../../test/support/double.ts'), 'cli-knows-protocol-storage-keyserver-relay-client-core'],
  ['relay/src/c.ts', imports('@waxwing/testing'), 'relay-knows-storage-protocol'],
  ['test/kit/src/a.ts', imports('../../support/double.ts'), 'testing-composes-the-parts'],
  ['test/kit/src/b.ts', importsType('@waxwing/cli'), 'testing-composes-the-parts'],
  ['test/kit/src/c.ts', imports('../../../client-core/src/inner.ts'), 'workspaces-meet-at-their-index'],
  ['test/kit/src/d.ts', imports('unlisted'), 'shipped-code-lists-what-it-imports'],
  ['relay/src/b.ts', imports('../../protocol/src/inner.ts'), 'workspaces-meet-at-their-index'],
  ['client-core/src/c.ts', imports('@signalapp/libsignal-client'), 'libsignal-has-two-rooms'],
  ['keyserver/src/b.ts', importsType('@signalapp/libsignal-client'), 'libsignal-has-two-rooms'],
  ['client-core/src/sync/a.ts', imports('ws'), 'sync-is-pure'],
  ['client-core/src/sync/b.ts', importsType('@signalapp/sqlcipher'), 'sync-is-pure'],
  ['client-core/src/sync/c.ts', "export { readFileSync as here } from 'node:fs';\n", 'sync-is-pure-of-node'],
  ['storage/src/even.ts', importsType('./odd.ts'), 'no-cycles'],
  ['storage/src/b.ts', imports('./nowhere.ts'), 'could-not-resolve'],
  ['storage/src/c.ts', imports('unlisted'), 'shipped-code-lists-what-it-imports'],
];

describe('the arrow rule', () => {
  it('lets pass what it allows', async () => {
    const allowed = await project({
      'storage/src/a.ts': imports('@waxwing/protocol'),
      'relay/src/a.ts': imports('@waxwing/storage'),
      'keyserver/src/libsignal/a.ts': imports('@signalapp/libsignal-client'),
      'client-core/src/session/a.ts': imports('@signalapp/libsignal-client'),
      'client-core/src/transport/a.ts': imports('ws'),
      'client-core/src/sync/a.ts': imports('@waxwing/protocol'),
      'cli/src/a.ts': imports('@waxwing/relay'),
      'test/kit/src/a.ts': imports('@waxwing/relay'),
      'test/kit/src/b.ts': imports('@waxwing/client-core'),
    });
    expect((await cruise(allowed)).violations).toEqual([]);
  }, 120_000);

  it('catches every violation that is planted, and nothing beside', async () => {
    const spoilt = await project({
      'test/support/double.ts': 'export const here = 1;\n',
      'protocol/src/inner.ts': 'export const here = 1;\n',
      'client-core/src/inner.ts': 'export const here = 1;\n',
      'storage/src/odd.ts': importsType('./even.ts'),
      ...Object.fromEntries(planted.map(([path, text]) => [path, text])),
    });
    const { violations } = await cruise(spoilt);
    const caught = new Set(violations.map(({ rule, from }) => `${from}: ${rule.name}`));
    const expected = new Set(planted.map(([path, , rule]) => `${path}: ${rule}`));
    expect([...expected].filter((one) => !caught.has(one))).toEqual([]);
    const files = new Set(planted.map(([path]) => path).concat('storage/src/odd.ts'));
    expect(violations.filter(({ from }) => !files.has(from))).toEqual([]);
  }, 120_000);
});
