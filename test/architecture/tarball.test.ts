import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from './sources.ts';

const folder = mkdtempSync(join(tmpdir(), 'waxwing-tarball-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** npm's own configuration of the run that this test is part of must not reach the one that it starts. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(config|package)_/i.test(name)));

function run(command: string, args: readonly string[], cwd: string): string {
  return execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

type Tree = { readonly dependencies?: Readonly<Record<string, Tree>> };

function namesIn({ dependencies = {} }: Tree): string[] {
  return Object.entries(dependencies).flatMap(([name, tree]) => [name, ...namesIn(tree)]);
}

/** A port of this machine at which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

describe('protocol and client-core, packed and installed alone', () => {
  beforeAll(() => {
    run(
      process.execPath,
      [join(root, 'node_modules/typescript/bin/tsc'), '-b', 'client-core/tsconfig.build.json'],
      root,
    );
    for (const workspace of ['protocol', 'client-core']) {
      run('npm', ['pack', '--workspace', workspace, '--pack-destination', folder, '--ignore-scripts'], root);
    }
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
    const tarballs = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
    expect(tarballs.sort()).toEqual(['waxwing-client-core-0.1.0.tgz', 'waxwing-protocol-0.1.0.tgz']);
    const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
    run('npm', ['install', ...quiet, ...tarballs.map((name) => `./${name}`)], folder);
  }, 240_000);

  it('bring no server package with them', () => {
    const tree = JSON.parse(run('npm', ['ls', '--all', '--json'], folder)) as Tree;
    const names = new Set(namesIn(tree));
    expect(names).toContain('@waxwing/client-core');
    expect(names).toContain('@waxwing/protocol');
    const server = ['@waxwing/storage', '@waxwing/relay', '@waxwing/keyserver', '@waxwing/cli'];
    const itsLibraries = ['fastify', 'better-sqlite3', 'ioredis', 'firebase-admin', 'prom-client'];
    expect([...server, ...itsLibraries].filter((name) => names.has(name))).toEqual([]);
  });

  it('are imported by name, with what they promise', () => {
    const script = `
      const protocol = await import('@waxwing/protocol');
      const client = await import('@waxwing/client-core');
      console.log(JSON.stringify([
        protocol.subprotocol,
        ['createClient', 'openClient', 'generateStoreKey'].map((name) => typeof client[name]),
      ]));`;
    const said = run(process.execPath, ['--input-type=module', '--eval', script], folder);
    expect(JSON.parse(said)).toEqual(['waxwing.v1', ['function', 'function', 'function']]);
  }, 60_000);

  it('make a device in a file of its own, and then find that nobody answers', async () => {
    const port = await closedPort();
    const script = `
      const { createClient, generateStoreKey, WaxwingError } = await import('@waxwing/client-core');
      const store = { path: 'device.db', key: generateStoreKey() };
      const made = createClient({ server: 'http://127.0.0.1:${port}', store });
      const error = await made.then(() => new Error('somebody answered'), (error) => error);
      console.log(JSON.stringify([error instanceof WaxwingError, error.code ?? error.message]));
      process.exit();`;
    const said = run(process.execPath, ['--input-type=module', '--eval', script], folder);
    expect(JSON.parse(said)).toEqual([true, 'unreachable']);
    expect(readdirSync(folder)).toContain('device.db');
  }, 60_000);

  it('pack no source and no build record', () => {
    const packed = readdirSync(join(folder, 'node_modules/@waxwing/client-core'));
    expect(packed).toContain('dist');
    expect(packed).not.toContain('src');
    expect(readdirSync(join(folder, 'node_modules/@waxwing/client-core/dist'))).not.toContain('.tsbuildinfo');
  });
});
