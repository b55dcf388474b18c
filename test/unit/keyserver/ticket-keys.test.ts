import { createServer, type RequestListener, type Server } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keySetFile, keySetUrl, readKeySet } from '@waxwing/keyserver';
import { limits, systemRuntime } from '@waxwing/protocol';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTicketKeys, type TicketKeys } from '../../../keyserver/src/tickets/ticket-keys.ts';
import { createManualRuntime, type ManualRuntime } from '../../kit/src/manual-runtime.ts';
import { issuerKey, keySetOf } from '../../support/ticket-issuer.ts';

const [first, second, elliptic] = [issuerKey('first'), issuerKey('second'), issuerKey('elliptic', 'p256')];

describe('the keys of tickets', () => {
  let runtime: ManualRuntime;
  let keys: TicketKeys;
  let listed: readonly ReturnType<typeof issuerKey>[] | 'down';
  let loads: number;
  let failures: number;
  beforeEach(() => {
    runtime = createManualRuntime();
    [listed, loads, failures] = [[first], 0, 0];
    keys = createTicketKeys({
      clock: runtime.clock,
      load: async () => {
        loads += 1;
        if (listed === 'down') throw new Error('down');
        return keySetOf(listed);
      },
      onFailure: () => (failures += 1),
    });
  });
  const found = async (kid: string) => (await keys.find(kid)).type;

  test('are loaded once for many questions, and used for ten minutes without another load', async () => {
    expect(await Promise.all(['first', 'first', 'first'].map(found))).toEqual(['key', 'key', 'key']);
    runtime.advance(limits.ticketKeysFreshMs - 1);
    expect(await found('first')).toBe('key');
    expect(loads).toBe(1);
    runtime.advance(1);
    expect(await found('first')).toBe('key');
    expect(loads).toBe(2);
  });

  test('that are rotated in are found by the first ticket that names them, or soon after', async () => {
    await found('first');
    listed = [first, second];
    expect(await keys.find('second')).toEqual({ type: 'away', retryAfterMs: limits.ticketKeysCooldownMs });
    runtime.advance(limits.ticketKeysCooldownMs);
    expect(await found('second')).toBe('key');
  });

  test('that are rotated out are not used for longer than they are fresh', async () => {
    await found('first');
    listed = [second];
    runtime.advance(limits.ticketKeysFreshMs);
    expect(await found('first')).toBe('unknown');
    expect(await found('second')).toBe('key');
  });

  test('go on while they cannot be loaded, for a day; what is not known then may be asked again', async () => {
    await found('first');
    listed = 'down';
    runtime.advance(limits.ticketKeysMaxAgeMs - 1);
    expect(await found('first')).toBe('key');
    expect(await found('second')).toBe('away');
    runtime.advance(limits.ticketKeysCooldownMs);
    expect(await keys.find('first')).toEqual({ type: 'away', retryAfterMs: limits.ticketKeysCooldownMs });
    expect(failures).toBe(2);
    listed = [first];
    runtime.advance(limits.ticketKeysCooldownMs);
    expect(await found('first')).toBe('key');
  });

  test('that were never loaded refuse nothing for good', async () => {
    listed = 'down';
    expect(await found('first')).toBe('away');
  });

  test('are loaded every ten seconds at most, however many unknown ones are named', async () => {
    await found('first');
    for (let asked = 0; asked < 100; asked += 1) {
      expect(await found(`guess-${asked}`)).toMatch(/away|unknown/);
      runtime.advance(1_000);
    }
    expect(loads).toBeLessThanOrEqual(1 + 100_000 / limits.ticketKeysCooldownMs);
  });

  test('that are not known are unknown only by a load that began after the question', async () => {
    const [asked, during] = [keys.find('second'), keys.find('second')];
    expect([(await asked).type, (await during).type]).toEqual(['unknown', 'away']);
  });

  test('are not younger for a clock that is set back', async () => {
    await found('first');
    listed = [second];
    runtime.stepClock(-limits.ticketKeysFreshMs);
    expect(await found('first')).toBe('unknown');
  });
});

describe('of a JWKS', () => {
  const read = async (...others: object[]) => readKeySet(await keySetOf([first, elliptic], ...others));
  const jwk = (key: typeof first) => key.publicKey.export({ format: 'jwk' });

  test('the Ed25519 and P-256 keys with a kid are taken, each for its own algorithm; others are left out', async () => {
    const others = [
      { ...jwk(second) },
      { ...jwk(second), kid: 'enc', use: 'enc' },
      { ...jwk(second), kid: 'ops', key_ops: ['sign'] },
      { ...jwk(second), kid: 'alg', alg: 'ES256' },
      { ...jwk(second), kid: 'curve', crv: 'X25519' },
      { ...jwk(elliptic), kid: 'point', x: jwk(second).x },
      { kty: 'RSA', kid: 'rsa', n: 'AQAB', e: 'AQAB' },
    ];
    const set = await read(...others);
    const keys = 'keys' in set ? [...set.keys].map(([kid, { algorithms }]) => [kid, algorithms]) : set;
    expect(keys).toEqual([
      ['first', ['EdDSA', 'Ed25519']],
      ['elliptic', ['ES256']],
    ]);
  });

  test.each<[string, () => Promise<Uint8Array> | Uint8Array, string]>([
    ['a secret key', () => keySetOf([first], { ...second.privateKey.export({ format: 'jwk' }), kid: 'x' }), 'secret'],
    ['a shared secret', () => keySetOf([first], { kty: 'oct', kid: 'x', k: 'AAAA' }), 'secret'],
    ['one kid twice', () => keySetOf([first, { ...second, kid: 'first' }]), 'one kid'],
    ['nothing of use', () => keySetOf([]), 'no public'],
    [
      'too many keys',
      () => keySetOf([first], ...Array.from({ length: limits.ticketKeysMax }, () => ({}))),
      'more than',
    ],
    ['no JSON', () => Buffer.from('keys'), 'not a JWKS'],
    ['no list', () => Buffer.from('{"keys":{}}'), 'not a JWKS'],
    ['too many bytes', () => Buffer.alloc(limits.ticketKeySetMaxBytes + 1, ' '), 'too large'],
  ])('%s refuses the whole set', async (_what, make, why) => {
    const set = readKeySet(await make());
    expect('wrong' in set ? set.wrong : '').toContain(why);
  });
});

describe('a key set', () => {
  const folder = mkdtempSync(join(tmpdir(), 'waxwing-keys-'));
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close().closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });
  async function serve(answer: RequestListener): Promise<string> {
    const server = createServer(answer);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('no port');
    return `http://127.0.0.1:${address.port}/keys`;
  }

  test('in a file is read anew each time', async () => {
    const path = join(folder, 'keys.json');
    const load = keySetFile(path);
    writeFileSync(path, 'one');
    expect(Buffer.from(await load()).toString()).toBe('one');
    writeFileSync(path, 'other');
    expect(Buffer.from(await load()).toString()).toBe('other');
  });

  test('at a URL comes as its bytes', async () => {
    const url = await serve((_request, response) => response.end('bytes'));
    expect(Buffer.from(await keySetUrl(url, systemRuntime.timers)()).toString()).toBe('bytes');
  });

  test.each<[string, RequestListener]>([
    ['an error', (_request, response) => response.writeHead(500).end('{}')],
    ['a redirect', ({ url }, response) => response.writeHead(url === '/keys' ? 302 : 200, { location: '/' }).end('{}')],
    ['a body over its size', (_request, response) => response.end(Buffer.alloc(limits.ticketKeySetMaxBytes + 1))],
    ['a cut answer', (_request, response) => response.write('{', () => response.destroy())],
  ])('at a URL that answers with %s is none', async (_what, answer) => {
    await expect(keySetUrl(await serve(answer), systemRuntime.timers)()).rejects.toThrow();
  });

  test('at a URL that does not answer is given up in time', async () => {
    const runtime = createManualRuntime();
    let asked = (): void => undefined;
    const reached = new Promise<void>((resolve) => (asked = resolve));
    const load = keySetUrl(await serve(() => asked()), runtime.timers)();
    const refused = expect(load).rejects.toThrow('no answer in time');
    await reached;
    runtime.advance(limits.ticketKeysTimeoutMs);
    await refused;
  });
});
