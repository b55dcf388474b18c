import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { serveSettings, type ServeSettings } from '../../../cli/src/settings/serve-settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'waxwing-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function file(content: unknown): string {
  const path = join(folder, `${++files}.json`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

type Options = Partial<Parameters<typeof serveSettings>[0]>;

function settings(options: Options): ServeSettings {
  const read = serveSettings({ flags: { data: '/srv/waxwing' }, env: {}, ...options });
  if ('wrong' in read) throw new Error(read.wrong.join('\n'));
  return read;
}

function wrong(options: Options): readonly string[] {
  const read = serveSettings({ flags: { data: '/srv/waxwing' }, env: {}, ...options });
  return 'wrong' in read ? read.wrong : [];
}

describe('where a setting comes from', () => {
  const env = { WAXWING_PORT: '2000', WAXWING_MAX_CONNECTIONS: '20' };
  const config = file({ port: 3000, maxConnections: 30, drainSeconds: 30 });

  it('a flag comes before the environment, that before the file, that before the default', () => {
    const read = settings({ flags: { data: '/srv/a', port: '1000' }, env, config });
    expect([read.port, read.maxConnections, read.drainSpreadMs, read.logLevel]).toEqual([1000, 20, 30_000, 'info']);
  });

  it('the store is the folder of the strongest source, whether it says data or store', () => {
    expect(settings({ flags: { data: '/a' }, env: { WAXWING_STORE: 'sqlite:/b' } }).directory).toBe('/a');
    expect(settings({ flags: {}, env: { WAXWING_STORE: 'sqlite:/b' }, config: file({ data: '/c' }) }).directory).toBe(
      '/b',
    );
    expect(settings({ flags: {}, config: file({ data: '/c' }) }).directory).toBe('/c');
  });

  it('a secret may stand in a file of its own', () => {
    const secret = file('sqlite:/from/secret\n');
    expect(settings({ flags: {}, env: { WAXWING_STORE_FILE: secret } }).directory).toBe('/from/secret');
    expect(settings({ flags: {}, config: file({ storeFile: secret }) }).directory).toBe('/from/secret');
  });

  it('the admin port is the one after the port, unless it is said or off', () => {
    expect(settings({ flags: { data: '/a', port: '7710' } }).admin).toEqual({ host: '127.0.0.1', port: 7711 });
    expect(settings({ flags: { data: '/a', adminPort: 'off' } }).admin).toBeUndefined();
  });
});

describe('a rate', () => {
  it('is how many at once and how many more in a time, by flag, environment or file', () => {
    const { rates } = settings({
      flags: { data: '/a', requestsPerAddress: '20+10/s' },
      env: { WAXWING_REQUESTS_IN_ALL: '100+30/min' },
      config: file({ registrationsPerAddress: '3+6/h', requestsInAll: '1+1/d' }),
    });
    expect(rates).toEqual({
      perAddress: { burst: 20, refillMs: 100 },
      inAll: { burst: 100, refillMs: 2_000 },
      registrationsPerAddress: { burst: 3, refillMs: 600_000 },
    });
  });

  it('that nobody says is left to the keyserver', () => {
    expect(settings({}).rates).toEqual({});
  });
});

describe('registration by ticket', () => {
  const jwks = file({
    keys: [{ kty: 'OKP', crv: 'Ed25519', kid: 'a', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }],
  });
  const by = (more: Record<string, string>) => ({ flags: { data: '/a', registration: 'ticket', ...more } });

  it('has an issuer and a JWKS, a file or a URL, by flag, environment or file', () => {
    expect(settings(by({ ticketIssuer: 'app', ticketJwks: jwks })).tickets).toEqual({
      issuer: 'app',
      jwks: { type: 'file', path: jwks },
    });
    const env = { WAXWING_REGISTRATION: 'ticket', WAXWING_TICKET_ISSUER: 'app' };
    const config = file({ ticketJwks: 'https://app.example/jwks.json' });
    expect(settings({ env, config }).tickets?.jwks).toEqual({ type: 'url', url: 'https://app.example/jwks.json' });
    expect(settings(by({ ticketIssuer: 'app', ticketJwks: 'http://127.0.0.1:7800/jwks.json' })).tickets).toBeDefined();
  });

  it('is open unless it is said', () => {
    expect(settings({}).tickets).toBeUndefined();
    expect(settings({ flags: { data: '/a', registration: 'open' } }).tickets).toBeUndefined();
  });

  it.each<[string, Options, string]>([
    [
      'neither',
      { env: { WAXWING_REGISTRATION: 'closed' } },
      'WAXWING_REGISTRATION: "closed" is neither open nor ticket',
    ],
    ['no issuer', by({ ticketJwks: jwks }), '--ticket-issuer: say whose tickets'],
    ['no keys', by({ ticketIssuer: 'app' }), '--ticket-jwks: say where the keys are'],
    ['an empty issuer', by({ ticketIssuer: ' ', ticketJwks: jwks }), '--ticket-issuer: " " is not what'],
    [
      'a file that is not there',
      by({ ticketIssuer: 'app', ticketJwks: '/nowhere' }),
      '--ticket-jwks: "/nowhere" is neither',
    ],
    ['a file that is no JWKS', by({ ticketIssuer: 'app', ticketJwks: file('keys') }), 'is not a JWKS'],
    [
      'a secret key',
      by({ ticketIssuer: 'a', ticketJwks: file({ keys: [{ kty: 'oct', k: 'AA' }] }) }),
      'holds a secret key',
    ],
    [
      'a plain URL',
      by({ ticketIssuer: 'a', ticketJwks: 'http://app.example/' }),
      '--ticket-jwks: "http://app.example/" has to be https',
    ],
    [
      'keys without tickets',
      { env: { WAXWING_TICKET_JWKS: jwks } },
      'WAXWING_TICKET_JWKS: counts with --registration ticket only',
    ],
  ])('refuses the start for %s', (_what, options, line) => {
    expect(wrong(options).join('\n')).toContain(line);
  });
});

describe('what refuses the start, with the name that it has where it was given', () => {
  it.each<[string, Options, string]>([
    [
      'an unknown variable',
      { env: { WAXWING_PROT: '1' } },
      'WAXWING_PROT: there is no such setting; is WAXWING_PORT meant?',
    ],
    ['an unknown key of the file', { config: file({ hots: 'x' }) }, 'hots: there is no such setting; is host meant?'],
    ['a port out of range', { env: { WAXWING_PORT: '77000' } }, 'WAXWING_PORT: "77000" is not a port'],
    ['a bad flag', { flags: { data: '/a', adminPort: 'x' } }, '--admin-port: "x" is not a port'],
    ['a bad value of the file', { config: file({ drainSeconds: -1 }) }, 'drainSeconds: "-1" is not a time'],
    ['a value of another kind', { config: file({ port: true }) }, 'port: is neither a text, a number nor a list'],
    [
      'an origin with a path',
      { env: { WAXWING_ORIGIN: 'https://a.example/x' } },
      'WAXWING_ORIGIN: "https://a.example/x"',
    ],
    [
      'a proxy that is no network',
      { flags: { data: '/a', trustProxy: '10.0.0.0/33' } },
      '--trust-proxy: "10.0.0.0/33"',
    ],
    [
      'a rate without time',
      { env: { WAXWING_REQUESTS_IN_ALL: '500' } },
      'WAXWING_REQUESTS_IN_ALL: "500" is not a rate',
    ],
    [
      'a rate in a unit that there is not',
      { flags: { data: '/a', requestsPerAddress: '5+1/week' } },
      '--requests-per-address: "5+1/week" is not a rate',
    ],
    ['a rate of nothing', { config: file({ registrationsPerAddress: '5+0/s' }) }, 'registrationsPerAddress: "5+0/s"'],
    ['a file that is not there', { config: '/nowhere.json' }, '--config: /nowhere.json cannot be read'],
    ['a file that is not JSON', { config: file('port: 1') }, 'is not JSON'],
    ['a secret twice', { env: { WAXWING_STORE: 'sqlite:/a', WAXWING_STORE_FILE: file('sqlite:/b') } }, 'says the same'],
    [
      'a secret file that is not there',
      { env: { WAXWING_STORE_FILE: '/nowhere' } },
      'WAXWING_STORE_FILE: /nowhere cannot be read',
    ],
    [
      'the store twice in one source',
      { flags: {}, env: { WAXWING_STORE: 'sqlite:/a', WAXWING_DATA: '/b' } },
      'says the same',
    ],
    ['no folder', { flags: {} }, '--data: say in which folder'],
    ['no origin where others dial', { flags: { data: '/a', host: '0.0.0.0' } }, '--origin: say what clients dial'],
    [
      'others, while trying out',
      { flags: { host: '0.0.0.0' }, development: { directory: () => '/tmp/x' } },
      '--dev: listens on this machine only',
    ],
  ])('%s', (_what, options, line) => {
    expect(wrong(options).join('\n')).toContain(line);
  });

  it('all of it at once', () => {
    expect(wrong({ env: { WAXWING_PORT: 'x', WAXWING_HOST: 'a b', WAXWING_X: '' } })).toHaveLength(3);
  });

  it('a secret is never repeated', () => {
    const password = 'hunter2';
    const lines = wrong({ flags: {}, env: { WAXWING_STORE: `redis://:${password}@host` } }).join('\n');
    expect(lines).toContain('WAXWING_STORE');
    expect(lines).not.toContain(password);
  });

  it('a folder for trying out is not made for a start that is refused', () => {
    let made = 0;
    wrong({ flags: { port: 'x' }, development: { directory: () => `/tmp/${++made}` } });
    expect(made).toBe(0);
  });
});
