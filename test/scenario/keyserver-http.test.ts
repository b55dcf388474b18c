import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { PassThrough, Writable } from 'node:stream';
import { buildKeyserver } from '@waxwing/keyserver';
import { errors, isErrorCode, systemRuntime, type DiscoveryJson, type ProblemJson } from '@waxwing/protocol';
import { createMemoryStorage } from '@waxwing/storage';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bearer, claimsFor, createPerson, registration } from '../unit/keyserver/person.ts';

let app: FastifyInstance;
let origin: string;
let logged: string;
/** What the store waits for before it looks up a device list. */
let gate: Promise<void>;

beforeEach(async () => {
  logged = '';
  gate = Promise.resolve();
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logged += chunk.toString();
      done();
    },
  });
  const storage = createMemoryStorage({ runtime: systemRuntime });
  const directory: typeof storage.directory = {
    ...storage.directory,
    deviceList: async (account) => {
      await gate;
      return storage.directory.deviceList(account);
    },
  };
  const origins: string[] = [];
  app = await buildKeyserver({
    storage: { ...storage, directory },
    runtime: systemRuntime,
    log: pino(sink),
    config: { origins },
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  origin = `http://127.0.0.1:${port()}`;
  origins.push(origin);
});
afterEach(() => app.close());

const port = () => (app.server.address() as AddressInfo).port;

/** Writes bytes as they are, and reads until the server ends the connection. `later` writes on the same connection. */
async function raw(bytes: string, later?: (write: (more: string) => void) => Promise<void>): Promise<string> {
  const socket = connect(port(), '127.0.0.1');
  socket.on('error', () => undefined);
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
  const closed = once(socket, 'close');
  socket.write(bytes);
  await later?.((more) => void socket.write(more));
  await closed;
  return answer;
}

const DISCOVER = `GET /.well-known/waxwing HTTP/1.1\r\nHost: x\r\n`;
const statusesOf = (answer: string) => [...answer.matchAll(/HTTP\/1.1 (\d+)/g)].map((match) => Number(match[1]));
const bodyOf = (answer: string): ProblemJson => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as ProblemJson;

describe('over a socket', () => {
  test('two people register, and one asks for the keys of the other', async () => {
    const json = { 'content-type': 'application/json' };
    const [alice, bob] = [createPerson(), createPerson()];
    for (const person of [alice, bob]) {
      const body = JSON.stringify(registration(person));
      expect((await fetch(`${origin}/v1/accounts`, { method: 'POST', headers: json, body })).status).toBe(201);
    }
    const { keys } = (await (await fetch(`${origin}/.well-known/waxwing`)).json()) as DiscoveryJson;
    const path = '/v1/bundles';
    const body = JSON.stringify({ accounts: [bob.account] });
    const claims = claimsFor(alice, alice.device, Date.now(), { method: 'POST', path, body });
    const authorization = bearer({ ...claims, aud: `keys:${keys}` }, alice.device);
    const answer = await fetch(keys + path, { method: 'POST', headers: { ...json, authorization }, body });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ bundles: [{ account: bob.account, devices: [{ device: 1 }] }] });
  });

  test('headers over 8 KiB are 431, as a problem', async () => {
    const answer = await raw(`${DISCOVER}X: ${'x'.repeat(9_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 431 /);
    expect(bodyOf(answer)).toMatchObject({ status: 431, code: 'too_large' });
  });

  test.each([
    ['no HTTP', 'hello\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['an unknown method', 'BREW / HTTP/1.1\r\nHost: x\r\n\r\n'],
    [
      'both a length and chunks',
      'POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['two lengths', 'POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n{"a"}'],
    [
      'a chunk that lies',
      'POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n',
    ],
  ])('%s is answered with a problem, and the server lives', async (_name, bytes) => {
    const answer = await raw(bytes);
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(bodyOf(answer)).toMatchObject({ status: 400, code: 'malformed' });
    expect((await fetch(`${origin}/.well-known/waxwing`)).status).toBe(200);
  });

  test.each(['/v1/../openapi.json', '/v1/accounts/../../openapi.json', '/./openapi.json', '*', '//openapi.json'])(
    'the path %s is no route',
    async (path) => {
      const answer = await raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1.1 40[04] /);
      expect(answer).toContain('application/problem+json');
    },
  );

  test('200 headers do not matter', async () => {
    const headers = Array.from({ length: 200 }, (_, index) => `X-${index}: y\r\n`).join('');
    expect(await raw(`${DISCOVER}${headers}Connection: close\r\n\r\n`)).toMatch(/^HTTP\/1.1 (200|4\d\d) /);
  });

  test('pipelined requests are answered in order', async () => {
    const answer = await raw(
      `${DISCOVER}\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n${DISCOVER}Connection: close\r\n\r\n`,
    );
    expect(statusesOf(answer)).toEqual([200, 404, 200]);
  });

  test('an upgrade that nobody takes is no route, and is taken by who listens for it', async () => {
    const upgrade = 'GET /v1/relay HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
    app.server.once('upgrade', (_request, socket) => socket.end('HTTP/1.1 418 taken\r\n\r\n'));
    expect(await raw(upgrade)).toContain('418 taken');
  });
});

test('a server that closes answers what is at work, and refuses what comes behind it', async () => {
  const alice = createPerson();
  const authorization = bearer(
    {
      ...claimsFor(alice, alice.device, Date.now(), { method: 'GET', path: '/v1/prekeys/count' }),
      aud: `keys:${origin}`,
    },
    alice.device,
  );
  let open = (): void => undefined;
  gate = new Promise((resolve) => (open = resolve));
  const head = `GET /v1/prekeys/count HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`;
  const atWork = once(app.server, 'request');
  let closing: Promise<unknown> | undefined;
  const all = await raw(head, async (write) => {
    await atWork;
    closing = app.close();
    while (app.server.listening) await new Promise((resolve) => setImmediate(resolve));
    write(`${DISCOVER}\r\n`);
    open();
  });
  await closing;
  expect(statusesOf(all)).toEqual([401, 503]);
  expect(bodyOf(all.slice(all.indexOf('HTTP/1.1 503')))).toMatchObject({ status: 503, code: 'unavailable' });
});

describe('a connection that breaks HTTP', () => {
  test.each([
    ['ERR_HTTP_REQUEST_TIMEOUT', 408, 'unavailable'],
    ['HPE_HEADER_OVERFLOW', 431, 'too_large'],
    ['HPE_INVALID_METHOD', 400, 'malformed'],
  ])('%s is answered with %d and ended', async (fault, status, code) => {
    const socket = new PassThrough();
    app.server.emit('clientError', Object.assign(new Error('canary'), { code: fault }), socket);
    const answer = String(socket.read());
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(bodyOf(answer)).toMatchObject({ status, code });
    expect(isErrorCode(code) && errors[code].retry === 'retry').toBe(bodyOf(answer).retryable);
    expect(socket.destroyed).toBe(true);
    expect(answer + logged).not.toContain('canary');
  });
});
