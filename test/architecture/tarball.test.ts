import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { publint } from 'publint';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiReport, reported } from './api-report.ts';
import { packages, packAll, run, type Packed, type PackageName } from './packed.ts';
import { root } from './sources.ts';

let packed: Packed;
beforeAll(() => {
  packed = packAll();
}, 600_000);
afterAll(() => packed.remove(), 120_000);

const names = Object.keys(packages) as PackageName[];

/** Runs a module that has nothing but this package around it; answers what it prints. */
function runAlone(name: PackageName, script: string): unknown {
  const folder = packed.alone(name);
  writeFileSync(join(folder, 'main.js'), script);
  return JSON.parse(run(process.execPath, ['main.js'], folder));
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

describe('a package, packed and with nothing around it but what it names', { timeout: 120_000 }, () => {
  it('protocol: is imported', () => {
    const said = runAlone(
      '@waxwing/protocol',
      `const { subprotocol, decodeUpBatch, encodeUpBatch } = await import('@waxwing/protocol');
       const batch = encodeUpBatch([{ type: 'heads', request: 7, handles: [] }]);
       console.log(JSON.stringify([subprotocol, decodeUpBatch(batch)]));`,
    );
    expect(said).toEqual(['waxwing.v1', [{ type: 'heads', request: 7, handles: [] }]]);
  });

  it('storage: opens a store on disk, in a thread of its own', () => {
    const said = runAlone(
      '@waxwing/storage',
      `import { readdirSync } from 'node:fs';
       const { openSqliteStorage } = await import('@waxwing/storage');
       const { systemRuntime } = await import('@waxwing/protocol');
       const storage = await openSqliteStorage({ directory: 'data', runtime: systemRuntime });
       await storage.mailboxes.check();
       console.log(JSON.stringify(readdirSync('data').filter((name) => name.endsWith('.db'))));
       await storage.close();`,
    );
    expect(said).toEqual(expect.arrayContaining(['directory.db', 'relay.db']));
  });

  it('keyserver: answers', () => {
    const said = runAlone(
      '@waxwing/keyserver',
      `const { buildKeyserver } = await import('@waxwing/keyserver');
       const { createMemoryStorage } = await import('@waxwing/storage');
       const { systemRuntime: runtime } = await import('@waxwing/protocol');
       const { pino } = await import('pino');
       const storage = createMemoryStorage({ runtime });
       const config = { origins: ['http://127.0.0.1'] };
       const app = await buildKeyserver({ storage, runtime, log: pino({ level: 'silent' }), config });
       console.log((await app.inject('/.well-known/waxwing')).body);
       await app.close();`,
    );
    expect(said).toMatchObject({ versions: [1], relay: 'ws://127.0.0.1/v1/relay' });
  });

  it('relay: challenges who connects', () => {
    const said = runAlone(
      '@waxwing/relay',
      `const { createGateway, createLogger, createMetrics } = await import('@waxwing/relay');
       const { createMemoryStorage } = await import('@waxwing/storage');
       const { decodeDownBatch, systemRuntime: runtime } = await import('@waxwing/protocol');
       const { Registry } = await import('prom-client');
       const gateway = createGateway({
         storage: createMemoryStorage({ runtime }), runtime, log: createLogger({ level: 'silent' }),
         metrics: createMetrics(new Registry()), origins: ['http://127.0.0.1'], drainSpreadMs: 0, endOfTurn: setImmediate,
       });
       const send = (bytes) => console.log(JSON.stringify(decodeDownBatch(bytes).map(({ type }) => type)));
       gateway.connect({ form: 'binary', send, bufferedBytes: () => 0, close() {}, terminate() {} });
       setImmediate(() => setImmediate(() => process.exit()));`,
    );
    expect(said).toEqual(['challenge']);
  });

  it('client-core: makes a device in a file of its own, and then finds that nobody answers', async () => {
    const port = await closedPort();
    const said = runAlone(
      '@waxwing/client-core',
      `import { existsSync } from 'node:fs';
       const { createClient, generateStoreKey, WaxwingError } = await import('@waxwing/client-core');
       const store = { path: 'device.db', key: generateStoreKey() };
       const made = createClient({ server: 'http://127.0.0.1:${port}', store });
       const error = await made.then(() => new Error('somebody answered'), (error) => error);
       console.log(JSON.stringify([error instanceof WaxwingError, error.code ?? error.message, existsSync('device.db')]));
       process.exit();`,
    );
    expect(said).toEqual([true, 'unreachable', true]);
  });

  it('testing: two clients talk', () => {
    const said = runAlone(
      '@waxwing/testing',
      `const { createTestWorld } = await import('@waxwing/testing');
       const world = await createTestWorld();
       const [alice, bob] = [await world.client('alice'), await world.client('bob')];
       const sent = await (await alice.direct(bob.account)).send({ text: 'packed' });
       const { value } = await bob.inbox().next();
       await world.wait(sent.reached('delivered'));
       console.log(JSON.stringify([value.text, sent.status.getSnapshot().state]));
       await world.close();`,
    );
    expect(said).toEqual(['packed', 'delivered']);
  });

  it('cli: tells its version, and serves', async () => {
    const folder = packed.alone('@waxwing/cli');
    const manifest = JSON.parse(readFileSync(join(folder, 'node_modules/@waxwing/cli/package.json'), 'utf8')) as {
      readonly bin: { readonly waxwing: string };
    };
    const bin = join(folder, 'node_modules/@waxwing/cli', manifest.bin.waxwing);
    expect(readFileSync(bin, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    expect(run(process.execPath, [bin, '--version'], folder)).toBe('0.1.0\n');
    const env = { PATH: process.env.PATH, TMPDIR: folder };
    const args = [bin, 'serve', '--dev', '--port', String(await closedPort()), '--admin-port', 'off'];
    const server = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(server, 'exit');
    try {
      for await (const line of createInterface({ input: server.stdout })) {
        const [, url] = /^waxwing listens on (.+)$/.exec(line) ?? [];
        if (url === undefined) continue;
        const answer = await fetch(`${url}/.well-known/waxwing`);
        expect(await answer.json()).toMatchObject({ versions: [1] });
        break;
      }
    } finally {
      server.kill('SIGTERM');
    }
    expect(await ended).toEqual([0, null]);
  });
});

describe('what a package brings with it', () => {
  it('is no server package, where it is client-core', () => {
    const brought = packed.closure('@waxwing/client-core');
    expect(brought).toContain('@waxwing/protocol');
    expect(brought).toContain('@signalapp/libsignal-client');
    const server = ['@waxwing/storage', '@waxwing/relay', '@waxwing/keyserver', '@waxwing/cli'];
    const itsLibraries = ['fastify', 'better-sqlite3', 'ioredis', 'firebase-admin', 'prom-client'];
    expect([...server, ...itsLibraries].filter((name) => brought.has(name))).toEqual([]);
  });

  it('is not the cli, where it is testing', () => {
    const brought = packed.closure('@waxwing/testing');
    expect(brought).toContain('@waxwing/relay');
    expect(brought).not.toContain('@waxwing/cli');
  });
});

it.each(reported)('%s offers what docs/api says, and nothing else', { timeout: 300_000 }, (folder) => {
  const name = names.find((one) => packages[one] === folder);
  if (name === undefined) throw new Error(`no package is in ${folder}`);
  const alone = packed.alone(name);
  // Beside node_modules: what is in it is taken for others'.
  cpSync(join(alone, 'node_modules', name), join(alone, 'package'), { recursive: true });
  const offered = apiReport(join(alone, 'package'));
  const said = readFileSync(join(root, 'docs/api', `${folder}.api.md`), 'utf8');
  expect(offered, 'the public surface has changed: `npm run docs:report`, and look at what git shows').toBe(said);
});

describe.each(names)('%s', (name) => {
  it('has nothing that publint finds fault with', async () => {
    const bytes = readFileSync(packed.tarball(name));
    const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    const { messages } = await publint({ pack: { tarball }, strict: true });
    expect(messages).toEqual([]);
  });

  it('packs what is built, and no source, no test and no build record', () => {
    const listed = run('tar', ['-tzf', packed.tarball(name)], root)
      .trim()
      .split('\n');
    expect(listed).toContain('package/dist/index.js');
    expect(listed).toContain('package/dist/index.d.ts');
    const allowed = /^package\/(package\.json|README\.md|dist\/.+\.(js|d\.ts)|migrations\/.+\.sql)$/;
    expect(listed.filter((path) => !allowed.test(path))).toEqual([]);
  });

  it('says what it is, for whom, and under which terms', () => {
    const manifest = JSON.parse(readFileSync(join(root, packages[name], 'package.json'), 'utf8')) as Readonly<
      Record<string, unknown>
    >;
    expect(manifest).toMatchObject({
      name,
      license: 'AGPL-3.0-only',
      type: 'module',
      engines: { node: '>=20.19' },
      files: [
        'dist',
        '!dist/.tsbuildinfo',
        ...(existsSync(join(root, packages[name], 'migrations')) ? ['migrations'] : []),
      ],
    });
    expect(manifest.description).toMatch(/\w{3}/);
    expect(Array.isArray(manifest.keywords) && manifest.keywords.length >= 3).toBe(true);
    expect(readdirSync(join(root, packages[name]))).toContain('README.md');
  });
});
