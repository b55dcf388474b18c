import {
  audience,
  claimsFault,
  limits,
  parseAccountId,
  parseDeviceId,
  readClaims,
  requestHash,
  type AccountBundlesJson,
  type BundlesJson,
  type HttpClaims,
} from '@waxwing/protocol';
import { describe, expect, test } from 'vitest';
import type { HttpRequest, HttpResponse } from '../../../../client-core/src/transport/http.ts';
import { createKeyserverClient, deviceTokens } from '../../../../client-core/src/transport/keyserver-client.ts';
import { createManualRuntime } from '../../../kit/src/manual-runtime.ts';
import { account } from './fake-relay.ts';

const SERVER = 'https://chat.example:7700';
const other = parseAccountId('00000000-0000-4000-8000-000000000002');

/** A client over a list of answers, each given once; `requests` is what was sent. */
function scene(...answers: (Partial<HttpResponse> | 'none')[]) {
  const runtime = createManualRuntime();
  const requests: HttpRequest[] = [];
  const signed: string[] = [];
  const client = createKeyserverClient({
    server: `${SERVER}/ignored`,
    clock: runtime.clock,
    token: deviceTokens({
      device: { account, device: parseDeviceId(3) },
      generations: () => [Buffer.alloc(16, 1), Buffer.alloc(16, 2)],
      sign(message) {
        signed.push(Buffer.from(message).toString());
        return new Uint8Array(64);
      },
    }),
    http: (request) => {
      requests.push(request);
      const answer = answers.shift() ?? 'none';
      if (answer === 'none') return Promise.reject(new Error('no network'));
      return Promise.resolve({ status: 200, headers: {}, body: new Uint8Array(), ...answer });
    },
  });
  const claims = (index: number): HttpClaims => {
    const read = readClaims(requests[index]!.headers.authorization!.slice('Bearer '.length));
    if ('nonce' in read) throw new Error('a relay token');
    return read;
  };
  return { client, requests, signed, runtime, claims };
}

const json = (value: unknown, status = 200): Partial<HttpResponse> => ({
  status,
  body: Buffer.from(JSON.stringify(value)),
});
const problem = (status: number, code: string, headers = {}): Partial<HttpResponse> => ({
  ...json({ code }, status),
  headers,
});
const date = (ms: number) => ({ date: new Date(ms).toUTCString() });

const signedKey = { id: 1, publicKey: 'AAAA', signature: 'BBBB' };
const bundlesOf = (...accounts: string[]): BundlesJson => ({
  bundles: accounts.map((name): AccountBundlesJson => ({
    account: name,
    deviceList: 'CCCC',
    devices: [
      {
        device: 1,
        registrationId: 7,
        signedPrekey: signedKey,
        kyberKey: signedKey,
        oneTimeKey: { id: 9, publicKey: 'DDDD' },
      },
      { device: 2, registrationId: 8, signedPrekey: signedKey, kyberKey: signedKey },
    ],
  })),
});

describe('a token', () => {
  test('is for this origin, this request, this device and its generations, and lives as long as it may', async () => {
    const { client, requests, claims, signed, runtime } = scene(json(bundlesOf()));
    await client.bundles([account], 'key');
    const { body } = requests[0]!;
    const req = requestHash('POST', '/v1/bundles', body!);
    expect(claims(0)).toMatchObject({
      iss: `${account}.3`,
      aud: audience('keys', SERVER),
      req,
      gen: [Buffer.alloc(16, 1), Buffer.alloc(16, 2)].map((generation) => generation.toString('base64url')),
    });
    const expected = { form: 'http', audiences: [audience('keys', SERVER)], req, nowMs: runtime.clock.now() } as const;
    expect(claimsFault(claims(0), expected)).toBeUndefined();
    expect(requests[0]!.headers.authorization).toMatch(signed[0]!);
  });

  test('of a request without a body covers the empty body', async () => {
    const { client, requests, claims } = scene(json({ deviceList: 'AAAA' }));
    await client.deviceList(other);
    expect(requests[0]).toMatchObject({ method: 'GET', url: `${SERVER}/v1/accounts/${other}/device-list` });
    expect(requests[0]!.body).toBeUndefined();
    expect(claims(0).req).toBe(requestHash('GET', `/v1/accounts/${other}/device-list`, new Uint8Array()));
  });

  test('is made once more by the server clock when it expired, and further ones at once', async () => {
    const serverMs = Date.UTC(2030, 0, 1);
    const { client, requests, claims, runtime } = scene(
      problem(401, 'token_expired', date(serverMs)),
      json({ same: true }),
      json({ same: false }),
    );
    expect(await client.prekeyCheck('AAAA')).toEqual({ ok: true, value: true });
    expect(claims(1).iat).toBe(serverMs / 1_000);
    expect(requests[1]!.body).toEqual(requests[0]!.body);
    runtime.advance(5_000);
    expect(await client.prekeyCheck('AAAA')).toEqual({ ok: true, value: false });
    expect(claims(2).iat).toBe(serverMs / 1_000 + 5);
    expect(requests).toHaveLength(3);
  });

  test('is made once more only, and only where the server says its time', async () => {
    const expired = problem(401, 'token_expired', date(0));
    const twice = scene(expired, expired, expired);
    expect(await twice.client.prekeyCount()).toEqual({ ok: false, code: 'token_expired' });
    expect(twice.requests).toHaveLength(2);
    const undated = scene(problem(401, 'token_expired'));
    expect(await undated.client.prekeyCount()).toEqual({ ok: false, code: 'token_expired' });
    expect(undated.requests).toHaveLength(1);
    const rejected = scene(problem(401, 'token_rejected', date(0)));
    expect(await rejected.client.prekeyCount()).toEqual({ ok: false, code: 'token_rejected' });
    expect(rejected.requests).toHaveLength(1);
  });

  test('that equals one of the same second is made another, under the same Idempotency-Key', async () => {
    const { client, requests, claims } = scene(problem(401, 'token_replayed'), json(bundlesOf()));
    expect(await client.bundles([account], 'key')).toEqual({ ok: true, value: { bundles: [] } });
    expect(claims(1).iat).toBe(claims(0).iat + 1);
    expect(claims(1).iat * 1_000 - claims(0).iat * 1_000).toBeLessThanOrEqual(limits.tokenFutureMs);
    expect(requests.map(({ headers }) => headers['idempotency-key'])).toEqual(['key', 'key']);
  });
});

describe('routes', () => {
  const registration = {
    deviceList: 'AAAA',
    prekeys: { signedPrekey: signedKey, lastResortKyber: signedKey, oneTimeKeys: [], oneTimeKyberKeys: [] },
  };

  test('register and discovery are open; register carries the Idempotency-Key', async () => {
    const discovered = { versions: [1], relay: 'wss://chat.example/v1/relay', keys: 'https://chat.example/' };
    const registered = { account, device: 1, listVersion: 1 };
    const { client, requests } = scene(json(registered, 201), json({ ...discovered, more: 'let be' }));
    expect(await client.register(registration, 'key')).toEqual({ ok: true, value: registered });
    expect(await client.discovery()).toEqual({ ok: true, value: discovered });
    expect(requests.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
    expect(requests[0]).toMatchObject({
      method: 'POST',
      url: `${SERVER}/v1/accounts`,
      headers: { 'idempotency-key': 'key', 'content-type': 'application/json' },
    });
    expect(JSON.parse(Buffer.from(requests[0]!.body!).toString())).toEqual(registration);
    expect(requests[1]!.url).toBe(`${SERVER}/.well-known/waxwing`);
  });

  test('give what the contract says', async () => {
    const count = { oneTimeKeys: 3, oneTimeKyberKeys: 0 };
    const empty = { status: 204 };
    const { client, requests } = scene(
      json(bundlesOf(other, account)),
      json(count),
      empty,
      empty,
      json({ account: other }),
    );
    expect(await client.bundles([account, other], 'key')).toEqual({ ok: true, value: bundlesOf(other, account) });
    expect(await client.prekeyCount()).toEqual({ ok: true, value: count });
    expect(await client.putPrekeys({ oneTimeKeys: [] })).toEqual({ ok: true, value: undefined });
    expect(await client.setUsername({ hash: 'AAAA', proof: 'BBBB' })).toEqual({ ok: true, value: undefined });
    expect(await client.lookupUsername('AAAA')).toEqual({ ok: true, value: other });
    expect(requests.map(({ method, url }) => `${method} ${url.slice(SERVER.length)}`)).toEqual([
      'POST /v1/bundles',
      'GET /v1/prekeys/count',
      'PUT /v1/prekeys',
      'PUT /v1/username',
      'POST /v1/usernames/lookup',
    ]);
  });
});

describe('a failure', () => {
  test('without an answer is unreachable', async () => {
    const { client } = scene('none');
    expect(await client.prekeyCount()).toEqual({ ok: false, code: 'unreachable' });
  });

  test.each<[string, Partial<HttpResponse>, object]>([
    ['a code of the table', problem(404, 'not_found'), { code: 'not_found' }],
    [
      'a code and a time',
      problem(429, 'rate_limited', { 'retry-after': '12' }),
      { code: 'rate_limited', retryAfterMs: 12_000 },
    ],
    [
      'a time beyond the maximum',
      problem(503, 'store_full', { 'retry-after': '999999' }),
      { code: 'store_full', retryAfterMs: limits.retryAfterMaxMs },
    ],
    ['an unknown code', problem(418, 'teapot'), { code: 'server_fault' }],
    ['a name that every object has', problem(418, 'constructor'), { code: 'server_fault' }],
    ['a proxy without a problem', { status: 502, body: Buffer.from('<html>') }, { code: 'unavailable' }],
    ['no body', { status: 500 }, { code: 'server_fault' }],
    ['a status that is no error and no success', { status: 304 }, { code: 'server_fault' }],
  ])('with %s is named', async (_, response, failure) => {
    const { client } = scene(response);
    expect(await client.prekeyCount()).toEqual({ ok: false, ...failure });
  });

  const bundle = bundlesOf(account).bundles[0]!;
  const device = bundle.devices[0]!;
  const withDevice = (change: object) => ({ bundles: [{ ...bundle, devices: [{ ...device, ...change }] }] });
  test.each<[string, unknown]>([
    ['no JSON', undefined],
    ['a list', []],
    ['null', null],
    ['no bundles', {}],
    ['an account that was not asked for', bundlesOf(other)],
    ['an account twice', bundlesOf(account, account)],
    ['an account that is none', bundlesOf('me')],
    ['a device twice', { bundles: [{ ...bundle, devices: [device, device] }] }],
    ['device 0', withDevice({ device: 0 })],
    ['device 128', withDevice({ device: 128 })],
    ['registration id 0x4000', withDevice({ registrationId: 0x4000 })],
    ['a fractional id', withDevice({ kyberKey: { ...signedKey, id: 1.5 } })],
    ['an id beyond 32 bits', withDevice({ signedPrekey: { ...signedKey, id: 2 ** 32 } })],
    ['a key that is no base64url', withDevice({ signedPrekey: { ...signedKey, publicKey: 'AA==' } })],
    ['no signature', withDevice({ kyberKey: { id: 1, publicKey: 'AAAA' } })],
    ['a one-time key that is null', withDevice({ oneTimeKey: null })],
    ['no device list', { bundles: [{ ...bundle, deviceList: undefined }] }],
    ['an empty device list', { bundles: [{ ...bundle, deviceList: '' }] }],
  ])('bundles with %s are a fault of the server', async (_, value) => {
    const { client } = scene(value === undefined ? { body: Buffer.from('{') } : json(value));
    expect(await client.bundles([account, parseAccountId(account.replace('1', '3'))], 'key')).toEqual({
      ok: false,
      code: 'server_fault',
    });
  });

  test('so are other answers that the contract does not know', async () => {
    const url = 'wss://chat.example/';
    const { client } = scene(
      json({ account: 'nobody' }),
      json({ same: 'yes' }),
      json({ oneTimeKeys: -1, oneTimeKyberKeys: 0 }),
      json({ account, device: 1, listVersion: 0 }),
      json({ versions: [1], relay: 'javascript:alert(1)', keys: 'https://chat.example/' }),
      json({ versions: ['1'], relay: url, keys: 'https://chat.example/' }),
      json({ versions: [1], relay: url, keys: url }),
    );
    const faults = [
      await client.lookupUsername('AAAA'),
      await client.prekeyCheck('AAAA'),
      await client.prekeyCount(),
      await client.register(
        {
          deviceList: 'AAAA',
          prekeys: { signedPrekey: signedKey, lastResortKyber: signedKey, oneTimeKeys: [], oneTimeKyberKeys: [] },
        },
        'key',
      ),
      await client.discovery(),
      await client.discovery(),
      await client.discovery(),
    ];
    expect(faults).toEqual(faults.map(() => ({ ok: false, code: 'server_fault' })));
  });
});
