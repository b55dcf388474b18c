import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { runWaxwing, startServer } from '@waxwing/cli';
import { createClient, openClient } from '@waxwing/client-core';
import { systemRuntime, type Runtime } from '@waxwing/protocol';
import { createLogger } from '@waxwing/relay';
import { createMemoryStorage, type Storage } from '@waxwing/storage';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { checks, examine, type Asked } from '../../cli/src/doctor/examine.ts';
import type { Surroundings } from '../../cli/src/doctor/surroundings.ts';
import { makeProfile } from '../../cli/src/profile.ts';
import { serveSettings } from '../../cli/src/settings/serve-settings.ts';
import { serveHttp, serveProxy } from '../support/bad-proxy.ts';

const GiB = 2 ** 30;
const root = mkdtempSync(join(tmpdir(), 'waxwing-doctor-'));
const healthy: Surroundings = {
  node: 'v20.19.0',
  openFiles: 65_536,
  temporaryFolders: ['/nowhere'],
  freeBytes: () => Promise.resolve(100 * GiB),
};
const closing: (() => Promise<unknown>)[] = [];
const named = new Set<string>();

/** What a server is started with that is not as it should be. */
type Oddly = { origins?: string[]; port?: number; adminPort?: number; runtime?: Runtime; storage?: Storage };

async function serve({ origins, port = 0, adminPort = 0, runtime = systemRuntime, storage }: Oddly = {}) {
  const server = await startServer({
    settings: {
      host: '127.0.0.1',
      port,
      admin: { host: '127.0.0.1', port: adminPort },
      ...(origins && { origins }),
      drainSpreadMs: 0,
      maxConnections: 100,
    },
    storage: storage ?? createMemoryStorage({ runtime }),
    runtime,
    log: createLogger({ level: 'silent' }),
  });
  closing.push(() => server.close());
  return server;
}

/** The names of the checks that find something wrong. */
async function wrong(asked: Asked, machine: Partial<Surroundings> = {}): Promise<string[]> {
  const { findings } = await examine(asked, systemRuntime, { ...healthy, ...machine });
  for (const { check, wrong, why, mend } of findings) {
    expect([check, wrong, why, mend].every((text) => text.length > 0)).toBe(true);
    named.add(check);
  }
  return findings.map(({ check }) => check);
}

let folders = 0;
function dataFolder(mode = 0o700): string {
  const folder = join(root, `data-${++folders}`);
  mkdirSync(folder);
  chmodSync(folder, mode);
  return folder;
}

function settings(flags: Record<string, string> = {}, env: Record<string, string> = {}) {
  return serveSettings({ flags: { data: dataFolder(), adminPort: 'off', ...flags }, env });
}

let world: { url: string; adminUrl: string; profile: string };

/** A copy of a healthy profile, so that each row may spoil its own. */
function profileCopy(of = world.profile): string {
  const folder = join(root, `profile-${++folders}`);
  cpSync(of, folder, { recursive: true });
  for (const name of ['device.key', 'device.db']) chmodSync(join(folder, name), 0o600);
  return folder;
}

async function register(url: string): Promise<string> {
  const folder = join(root, `registered-${++folders}`);
  const profile = await makeProfile(folder, systemRuntime.randomBytes);
  await (await createClient({ server: url, store: profile.store })).close();
  return folder;
}

let stopWorld: () => Promise<void>;
beforeAll(async () => {
  const server = await serve();
  closing.pop();
  stopWorld = () => server.close();
  world = { url: server.url, adminUrl: server.adminUrl ?? '', profile: await register(server.url) };
}, 60_000);
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});
afterAll(async () => {
  await stopWorld();
  rmSync(root, { recursive: true });
});

describe('nothing is wrong', () => {
  it('with a server, its admin port, its settings and folder, and a device of it', async () => {
    const { url, adminUrl } = world;
    const asked = { url, admin: adminUrl, settings: settings(), profile: profileCopy() };
    const { findings, lookedAt } = await examine(asked, systemRuntime, healthy);
    expect(findings).toEqual([]);
    expect(lookedAt).toEqual(['machine', 'settings', 'data', 'server', 'admin', 'profile']);
  });

  it('behind a proxy that passes everything on', async () => {
    let target = '';
    const proxy = await serveProxy(() => target, 'pass');
    closing.push(proxy.close);
    target = (await serve({ origins: [proxy.url] })).url;
    expect(await wrong({ url: proxy.url })).toEqual([]);
  });

  it('with a device whose server is asked for by it', async () => {
    expect(await wrong({ profile: profileCopy() })).toEqual([]);
  });
});

describe('a server', () => {
  const shifted = (ms: number): Runtime => ({ ...systemRuntime, clock: { now: () => systemRuntime.clock.now() + ms } });

  it('that does not answer', async () => {
    const gone = await serveHttp(() => undefined);
    await gone.close();
    expect(await wrong({ url: gone.url })).toEqual(['reach']);
  });

  it('that is another one', async () => {
    const other = await serveHttp((_request, response) => response.writeHead(404).end('<html>'));
    closing.push(other.close);
    expect(await wrong({ url: other.url })).toEqual(['waxwing']);
  });

  it('that redirects', async () => {
    const other = await serveHttp((_request, response) =>
      response.writeHead(301, { location: 'https://relay.example/' }).end(),
    );
    closing.push(other.close);
    expect(await wrong({ url: other.url })).toEqual(['redirect']);
  });

  it('of another version', async () => {
    const other = await serveHttp(({ headers }, response) => {
      const keys = `http://${headers.host ?? ''}`;
      response.end(JSON.stringify({ versions: [99], relay: `${keys}/v1/relay`, keys }));
    });
    closing.push(other.close);
    expect(await wrong({ url: other.url })).toEqual(['version', 'websocket']);
  });

  it('that takes itself for another, as behind a proxy that alters the host', async () => {
    const { url } = await serve({ origins: ['https://relay.example'] });
    expect(await wrong({ url })).toEqual(['origin']);
  });

  it.each([3_600_000, -3_600_000])('whose clock is %i ms off', async (ms) => {
    const { url } = await serve({ runtime: shifted(ms) });
    expect(await wrong({ url })).toEqual(['clock']);
  });

  it('whose clock differs by a second is well', async () => {
    const { url } = await serve({ runtime: shifted(1_000) });
    expect(await wrong({ url })).toEqual([]);
  });

  it.each([
    ['passes no WebSocket on', 'ignore', 'websocket'],
    ['drops the subprotocol', 'unnamed', 'subprotocol'],
  ] as const)('behind a proxy that %s', async (_what, upgrades, check) => {
    let target = '';
    const proxy = await serveProxy(() => target, upgrades);
    closing.push(proxy.close);
    target = (await serve({ origins: [proxy.url] })).url;
    expect(await wrong({ url: proxy.url })).toEqual([check]);
  });

  it('that is dialled by http where others are on the way, its admin port open to them', async () => {
    // This machine's every address, on which none but itself can call it.
    const port = Number(new URL((await serveThenClose()).url).port);
    const origins = [`http://0.0.0.0:${port}`];
    await serve({ port, adminPort: port + 1, origins });
    expect(await wrong({ url: `http://0.0.0.0:${port}` })).toEqual(['plain-http', 'admin-open']);
  });

  it('that is not ready', async () => {
    const storage = createMemoryStorage({ runtime: systemRuntime });
    const check = () => Promise.reject(new Error('no disk'));
    const { url, adminUrl = '' } = await serve({ storage: { ...storage, mailboxes: { ...storage.mailboxes, check } } });
    expect(await wrong({ url, admin: adminUrl })).toEqual(['ready']);
  });

  it('whose admin port is another', async () => {
    expect(await wrong({ url: world.url, admin: world.url })).toEqual(['ready']);
  });
});

async function serveThenClose() {
  const one = await serveHttp(() => undefined);
  await one.close();
  return one;
}

describe('the machine of a server', () => {
  const asked = (flags?: Record<string, string>, env?: Record<string, string>): Asked => ({
    url: world.url,
    settings: settings(flags, env),
  });

  it('has an old Node', async () => {
    expect(await wrong({}, { node: 'v20.18.1' })).toEqual(['node']);
    expect(await wrong({}, { node: 'v18.20.0' })).toEqual(['node']);
    expect(await wrong({}, { node: 'v22.1.0' })).toEqual([]);
  });

  it('has settings that refuse the start', async () => {
    expect(await wrong(asked({}, { WAXWING_PROT: '1' }))).toEqual(['settings']);
  });

  it('lets too few files be open', async () => {
    expect(await wrong(asked(), { openFiles: 1_024 })).toEqual(['open-files']);
    expect(await wrong(asked({ maxConnections: '800' }), { openFiles: 1_024 })).toEqual([]);
  });

  it('has a proxy before it that is not believed, so that all clients are one address', async () => {
    expect(await wrong(asked({ origin: 'https://relay.example' }))).toEqual(['proxy-trust']);
    expect(await wrong(asked({ origin: 'https://relay.example', trustProxy: '127.0.0.1/32' }))).toEqual([]);
  });

  it('shows its admin port to all', async () => {
    const { url, adminUrl = '' } = await serve();
    const flags = { adminHost: '0.0.0.0', adminPort: new URL(adminUrl).port };
    expect(await wrong({ url, settings: settings(flags) })).toEqual(['admin-open']);
  });

  it('keeps data in a temporary folder', async () => {
    expect(await wrong(asked(), { temporaryFolders: [root] })).toEqual(['data-temporary']);
  });

  it('has a full disk', async () => {
    expect(await wrong(asked(), { freeBytes: () => Promise.resolve(100 * 2 ** 20) })).toEqual(['disk']);
  });

  it('lets others read the data', async () => {
    expect(await wrong(asked({ data: dataFolder(0o755) }))).toEqual(['data-open']);
    const folder = dataFolder();
    writeFileSync(join(folder, 'directory.db'), '', { mode: 0o644 });
    expect(await wrong(asked({ data: folder }))).toEqual(['data-open']);
  });

  it('has no such folder', async () => {
    expect(await wrong(asked({ data: join(root, 'nowhere') }))).toEqual(['data-folder']);
  });
});

describe('a profile', () => {
  it('that is none', async () => {
    expect(await wrong({ profile: join(root, 'nobody') })).toEqual(['profile']);
  });

  it('whose registration has no outcome', async () => {
    const folder = join(root, 'begun');
    mkdirSync(folder);
    writeFileSync(join(folder, 'registering.json'), JSON.stringify({ server: world.url }));
    expect(await wrong({ profile: folder })).toEqual(['profile']);
  });

  it('without its key', async () => {
    const folder = profileCopy();
    rmSync(join(folder, 'device.key'));
    expect(await wrong({ profile: folder })).toEqual(['key']);
  });

  it.each(['00'.repeat(16), 'z'.repeat(64), ''])('whose key is %j', async (key) => {
    const folder = profileCopy();
    writeFileSync(join(folder, 'device.key'), key);
    expect(await wrong({ profile: folder })).toEqual(['key']);
  });

  it('whose key others may read', async () => {
    const folder = profileCopy();
    chmodSync(join(folder, 'device.key'), 0o644);
    expect(await wrong({ profile: folder })).toEqual(['key-open']);
  });

  it('whose key is that of another', async () => {
    const folder = profileCopy();
    writeFileSync(join(folder, 'device.key'), '00'.repeat(32));
    expect(await wrong({ profile: folder })).toEqual(['store']);
  });

  it('that another process has open', async () => {
    const folder = profileCopy();
    const { store } = await makeProfile(folder, systemRuntime.randomBytes);
    const client = await openClient({ store });
    expect(await wrong({ profile: folder })).toEqual(['store']);
    await client.close();
  });

  it('of another server', async () => {
    const { url } = await serve();
    expect(await wrong({ profile: profileCopy(), url })).toEqual(['other-server']);
  });

  it('that its server does not know, since it lost its data', async () => {
    const first = await serve();
    const folder = await register(first.url);
    await first.close();
    await serve({ port: Number(new URL(first.url).port) });
    expect(await wrong({ profile: folder })).toEqual(['device']);
  });

  it('that was copied, and whose copy has connected since', async () => {
    const folder = await register((await serve()).url);
    const { store } = await makeProfile(profileCopy(folder), systemRuntime.randomBytes);
    const newer = await openClient({ store });
    await newer.connect();
    await newer.close();
    expect(await wrong({ profile: folder })).toEqual(['device']);
  });
});

describe('waxwing doctor', () => {
  async function doctor(...args: string[]) {
    const said = { out: '', err: '' };
    const into = (where: 'out' | 'err') =>
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          said[where] += chunk.toString();
          done();
        },
      });
    const stdin = new PassThrough().end();
    const interrupted = () => new AbortController().signal;
    const io = { stdin, stdout: into('out'), stderr: into('err'), env: {}, interrupted };
    return { code: await runWaxwing(['doctor', ...args], io), ...said };
  }

  it('ends with 0 where nothing is wrong', async () => {
    const { url, adminUrl } = world;
    const { code, out, err } = await doctor('--url', url, '--admin', adminUrl, '--profile', profileCopy());
    expect([code, out, err]).toEqual([0, 'looked at: machine, server, admin, profile\nnothing is wrong\n', '']);
    const json = await doctor('--url', url, '--json');
    expect([json.code, JSON.parse(json.out)]).toEqual([
      0,
      { healthy: true, lookedAt: ['machine', 'server'], findings: [] },
    ]);
  });

  it('ends with 1 where something is, and says what, why and what to do', async () => {
    const { url } = await serveThenClose();
    const { code, out, err } = await doctor('--url', url);
    expect([code, err]).toEqual([1, '']);
    expect(out).toMatch(/^looked at: machine, server\n\nreach: .* does not answer .*\n {2}because: .*\n {2}do: .*\n$/);
    const json = await doctor('--url', url, '--json');
    const { healthy: isHealthy, findings } = JSON.parse(json.out) as { healthy: boolean; findings: object[] };
    expect([json.code, isHealthy, findings.map((finding) => Object.keys(finding).sort())]).toEqual([
      1,
      false,
      [['check', 'mend', 'why', 'wrong']],
    ]);
  });

  it('ends with 2 where it is called wrongly', async () => {
    expect((await doctor('--url', 'nonsense')).code).toBe(2);
  });
});

it('every check stands in docs/operations.md, with why it matters', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8');
  const table = page.slice(page.indexOf('<!-- checks -->'), page.indexOf('<!-- /checks -->'));
  const rows = [...table.matchAll(/^\| `([a-z-]+)` *\| (.*?) *\|$/gm)].map(([, name, why]) => ({ name, why }));
  expect(rows).toEqual(checks.map(({ name, why }) => ({ name, why })));
});

it('every check of the table was seen to find what it is for', () => {
  expect([...named].sort()).toEqual(checks.map(({ name }) => name).sort());
});
