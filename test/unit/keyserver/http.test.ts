import { createServer } from 'node:http';
import { errors, isErrorCode, limits } from '@waxwing/protocol';
import { errorCodes } from 'fastify';
import { beforeEach, describe, expect, test } from 'vitest';
import { refusalOf } from '../../../keyserver/src/problem.ts';
import { createFixture, problemOf, type Fixture } from './keyserver-fixture.ts';
import { createPerson, registration, usernameOf } from './person.ts';

let f: Fixture;
beforeEach(async () => {
  f = await createFixture();
});

describe('every error is a problem document', () => {
  const raw = (headers: Record<string, string>, payload: string | Buffer) =>
    f.app.inject({ method: 'POST', url: '/v1/accounts', headers, payload });
  const json = { 'content-type': 'application/json' };

  test.each(['/', '/v1', '/v1/accounts/', '/V1/accounts', '//v1/prekeys/count', '/v1/%2e%2e/x', '/v1/accounts/a/b/c'])(
    'no route: %s',
    async (path) => expect(problemOf(await f.open('GET', path))).toEqual({ status: 404, code: 'unknown_route' }),
  );

  test.each(['OPTIONS', 'HEAD', 'PATCH'] as const)('no route for %s', async (method) => {
    const answer = await f.app.inject({ method, url: '/.well-known/waxwing' });
    expect(answer.statusCode).toBe(404);
  });

  test('a path that is no URL', async () => {
    expect(problemOf(await f.open('GET', '/v1/accounts/%ff/device-list'))).toEqual({ status: 400, code: 'malformed' });
  });

  test('a path parameter over its length', async () => {
    const answer = await f.open('GET', `/v1/accounts/${'a'.repeat(200)}/device-list`);
    expect(answer.statusCode).toBe(414);
    expect(problemOf(answer).code).toBe('malformed');
  });

  test('a query where none is taken', async () => {
    expect(problemOf(await f.open('GET', '/.well-known/waxwing?a=1')).code).toBe('malformed');
  });

  test.each([
    ['cut JSON', '{"deviceList":'],
    ['an empty body', ''],
    ['no object', '7'],
    ['null', 'null'],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['a byte order mark', '\ufeff{}'],
    ['__proto__', '{"__proto__":{"deviceList":"AAAA"}}'],
    ['constructor.prototype', '{"constructor":{"prototype":{"x":1}}}'],
    ['depth 100,000', '['.repeat(100_000) + ']'.repeat(100_000)],
    ['50,000 keys', `{${Array.from({ length: 50_000 }, (_, index) => `"k${index}":0`).join(',')}}`],
  ])('a body that is %s', async (_name, payload) => {
    expect(problemOf(await raw(json, payload))).toEqual({ status: 400, code: 'malformed' });
  });

  test.each(['{"__proto__":{"x":1}}', '{"constructor":{"prototype":{"x":1}}}', '{"a":{"__proto__":1}}'])(
    'a body that would change prototypes, before any schema sees it: %s',
    async (payload) => expect((await raw(json, payload)).json()).not.toHaveProperty('detail'),
  );

  test.each(['text/plain', 'application/xml', 'multipart/form-data; boundary=x', 'application/json-seq', 'x'])(
    'a body of type %s',
    async (type) => {
      expect(problemOf(await raw({ 'content-type': type }, '{}'))).toEqual({ status: 415, code: 'malformed' });
    },
  );

  test('a body over 1 MiB at the key routes, over 64 KiB elsewhere', async () => {
    const body = JSON.stringify({ x: 'x'.repeat(limits.httpKeysBodyMaxBytes) });
    expect(problemOf(await raw(json, body))).toEqual({ status: 413, code: 'too_large' });
    const alice = await f.person();
    const smaller = JSON.stringify({ hash: 'A'.repeat(limits.httpBodyMaxBytes) });
    const answer = await f.ask(alice, 'POST', '/v1/usernames/lookup', smaller);
    expect(problemOf(answer)).toEqual({ status: 413, code: 'too_large' });
  });

  test('names the field that is wrong and quotes nothing', async () => {
    const body = { ...registration(createPerson()), username: { ...usernameOf('alice.01'), canary: 'canary' } };
    const answer = await f.open('POST', '/v1/accounts', body);
    expect(answer.json()).toEqual({
      type: 'urn:waxwing:error:malformed',
      title: errors.malformed.meaning,
      status: 400,
      code: 'malformed',
      retryable: false,
      detail: 'body/username',
    });
  });

  test('its code is in the table, with the status of the table', async () => {
    const answers = [await f.open('GET', '/nothing'), await f.open('GET', '/v1/prekeys/count'), await raw(json, '{')];
    for (const answer of answers) {
      const { code, status } = problemOf(answer);
      expect(isErrorCode(code) && 'status' in errors[code] && errors[code].status).toBe(status);
    }
  });
});

describe('every answer', () => {
  test("carries the server's time by its own clock", async () => {
    for (const path of ['/.well-known/waxwing', '/nothing', '/v1/prekeys/count']) {
      expect((await f.open('GET', path)).headers.date).toBe(new Date(f.runtime.clock.now()).toUTCString());
    }
  });

  test('has security headers, and lets no other origin read it', async () => {
    const { headers } = await f.open('GET', '/.well-known/waxwing', undefined, { origin: 'https://evil.example' });
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN' });
    expect(headers['content-security-policy']).toBeDefined();
    expect(headers['access-control-allow-origin']).toBeUndefined();
    expect(headers['x-powered-by']).toBeUndefined();
  });

  test('of a route with a token is not stored by caches', async () => {
    const alice = await f.person();
    for (const path of ['/v1/prekeys/count', `/v1/accounts/${alice.account}/device-list`]) {
      expect((await f.ask(alice, 'GET', path)).headers['cache-control']).toBe('no-store');
    }
  });
});

describe('limits of connections', () => {
  test('are set on the server', () => {
    expect(f.app.server).toMatchObject({
      requestTimeout: limits.httpRequestTimeoutMs,
      headersTimeout: limits.httpHeadersTimeoutMs,
      timeout: limits.httpConnectionTimeoutMs,
      keepAliveTimeout: limits.httpConnectionTimeoutMs,
      maxRequestsPerSocket: limits.httpRequestsPerSocket,
      maxHeadersCount: limits.httpHeadersMaxCount,
      maxHeaderSize: limits.httpHeaderMaxBytes,
      connectionsCheckingInterval: 1_000,
    });
    expect(createServer()).toMatchObject({ timeout: 0 });
  });

  test('are set in fastify', () => {
    expect(f.app.initialConfig).toMatchObject({
      bodyLimit: limits.httpBodyMaxBytes,
      handlerTimeout: limits.httpHandlerTimeoutMs,
      requestTimeout: limits.httpRequestTimeoutMs,
      connectionTimeout: limits.httpConnectionTimeoutMs,
      onProtoPoisoning: 'error',
      onConstructorPoisoning: 'error',
      requestIdHeader: false,
    });
  });
});

describe('rates', () => {
  const discover = (g: Fixture, headers: Record<string, string> = {}) =>
    g.open('GET', '/.well-known/waxwing', undefined, headers);
  const tight = { burst: 2, refillMs: 30_000 };

  test('of an address: refused with the time to wait, then served', async () => {
    const g = await createFixture({ rates: { perAddress: tight } });
    expect([(await discover(g)).statusCode, (await discover(g)).statusCode]).toEqual([200, 200]);
    const answer = await discover(g);
    expect(problemOf(answer)).toEqual({ status: 429, code: 'rate_limited' });
    expect(answer.headers['retry-after']).toBe('30');
    expect(problemOf(await g.open('GET', '/nothing')).code).toBe('rate_limited');
    g.runtime.advance(30_000);
    expect((await discover(g)).statusCode).toBe(200);
  });

  test('of everybody', async () => {
    const g = await createFixture({ rates: { inAll: tight } });
    const codes = [];
    for (let i = 0; i < 3; i++) codes.push((await discover(g)).statusCode);
    expect(codes).toEqual([200, 200, 429]);
  });

  test('of registrations of an address', async () => {
    const g = await createFixture({ rates: { registrationsPerAddress: { burst: 1, refillMs: 60_000 } } });
    await g.person();
    const answer = await g.open('POST', '/v1/accounts', registration(createPerson()));
    expect(problemOf(answer)).toEqual({ status: 429, code: 'rate_limited' });
    expect((await discover(g)).statusCode).toBe(200);
  });

  test('count the address that a trusted proxy names, and believe nobody else', async () => {
    const behind = await createFixture({ rates: { perAddress: tight }, trustProxy: ['127.0.0.1/32'] });
    const direct = await createFixture({ rates: { perAddress: tight } });
    const codes = async (g: Fixture) => {
      const all = [];
      for (let i = 0; i < 3; i++) all.push((await discover(g, { 'x-forwarded-for': `203.0.113.${i}` })).statusCode);
      return all;
    };
    expect(await codes(behind)).toEqual([200, 200, 200]);
    expect(await codes(direct)).toEqual([200, 200, 429]);
  });
});

describe('GET /.well-known/waxwing', () => {
  const discover = async (g: Fixture, host?: string) =>
    (await g.open('GET', '/.well-known/waxwing', undefined, host === undefined ? {} : { host })).json<object>();

  test('names versions, relay and keys', async () => {
    expect(await discover(f)).toEqual({
      versions: [1],
      relay: 'wss://keys.example/v1/relay',
      keys: 'https://keys.example',
    });
  });

  test('names the origin that was dialled if it is one of the server, else the first', async () => {
    const g = await createFixture({ origins: ['https://keys.example', 'http://127.0.0.1:7700'] });
    expect(await discover(g, '127.0.0.1:7700')).toMatchObject({
      relay: 'ws://127.0.0.1:7700/v1/relay',
      keys: 'http://127.0.0.1:7700',
    });
    expect(await discover(g, 'evil.example')).toMatchObject({ keys: 'https://keys.example' });
  });

  test('names a relay of another origin', async () => {
    const g = await createFixture({ relayOrigin: 'wss://relay.example' });
    expect(await discover(g)).toMatchObject({ relay: 'wss://relay.example/v1/relay', keys: 'https://keys.example' });
  });
});

describe('logs', () => {
  test('hold route, status, code and time, and nothing of who asked what', async () => {
    const alice = await f.person();
    const username = usernameOf('canary.01');
    const canary = { 'user-agent': 'canary-agent', 'x-request-id': 'canary-id', 'idempotency-key': 'canary-key' };
    await f.ask(alice, 'PUT', '/v1/username', username, { headers: canary });
    await f.ask(alice, 'POST', '/v1/usernames/lookup', { hash: username.hash }, { headers: canary });
    await f.ask(alice, 'POST', '/v1/bundles', { accounts: [alice.account] }, { headers: canary });
    await f.ask(alice, 'GET', `/v1/accounts/${alice.account}/device-list`, undefined, { headers: canary });
    await f.open('GET', `/v1/accounts/${alice.account}/device-list?canary=canary`, undefined, {
      ...canary,
      authorization: 'Bearer canary.canary.canary',
      'x-forwarded-for': '203.0.113.77',
    });
    await f.open('GET', '/canary-path', undefined, canary);
    await f.open('GET', '/v1/accounts/%ffcanary/device-list');
    await f.open('POST', '/v1/accounts', '{"canary":"canary"', canary);
    const names = ['level', 'time', 'pid', 'hostname', 'part', 'route', 'status', 'code', 'ms'];
    for (const line of f.logged().trim().split('\n')) {
      expect(names).toEqual(expect.arrayContaining(Object.keys(JSON.parse(line) as object)));
    }
    f.app.log.info({
      authorization: 'canary',
      token: 'canary',
      body: { x: 'canary' },
      username: 'canary',
      deep: { ip: 'canary' },
    });
    f.app.log.error({ err: new Error('canary') });

    const logged = f.logged();
    const hex = Buffer.from(username.hash, 'base64url').toString('hex');
    for (const secret of [
      'canary',
      alice.account,
      username.hash,
      username.proof,
      hex,
      '203.0.113.77',
      '127.0.0.1',
      'Bearer',
    ]) {
      expect(logged.toLowerCase()).not.toContain(secret.toLowerCase());
    }
    const lines = logged
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(lines).toContainEqual(expect.objectContaining({ route: 'PUT /v1/username', status: 204, ms: 0 }));
    expect(lines).toContainEqual(
      expect.objectContaining({ route: 'GET /v1/accounts/:id/device-list', status: 401, code: 'token_malformed' }),
    );
    expect(lines).toContainEqual(expect.objectContaining({ route: 'GET unknown', status: 404, code: 'unknown_route' }));
  });

  test('an error shows its name and where it was thrown, not its message', () => {
    f.app.log.error({ err: new TypeError('canary') }, 'a request failed');
    const line = f.logged().trim().split('\n').at(-1)!;
    expect(line).toContain('TypeError');
    expect(line).toContain('http.test.ts');
    expect(line).not.toContain('canary');
  });
});

describe('an error of fastify', () => {
  test.each([
    [new errorCodes.FST_ERR_HANDLER_TIMEOUT(1, '/canary'), 'unavailable', undefined],
    [new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE(), 'too_large', undefined],
    [new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE('canary'), 'malformed', 415],
    [new errorCodes.FST_ERR_CTP_INVALID_CONTENT_LENGTH(), 'malformed', undefined],
  ])('stands for a code of the table: %s', (error, code, status) => {
    expect(refusalOf(error)).toEqual({ refusal: { type: 'refused', code }, ...(status && { status }) });
  });

  test('that names a fault of the server stands for no refusal', () => {
    expect(refusalOf(new errorCodes.FST_ERR_REP_ALREADY_SENT('/canary'))).toBeUndefined();
    expect(refusalOf('canary')).toBeUndefined();
  });
});
