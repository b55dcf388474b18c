import { createMemoryStorage, type DeviceKey, type MemoryStorage } from '@waxwing/storage';
import { buildKeyserver, type KeyserverConfig } from '@waxwing/keyserver';
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import { pino } from 'pino';
import { Writable } from 'node:stream';
import { inspect } from 'node:util';
import type { HttpClaims } from '@waxwing/protocol';
import { createManualRuntime, type ManualRuntime } from '../../kit/src/manual-runtime.ts';
import { bearer, claimsFor, createPerson, ORIGIN, registration, type Person, type TestDevice } from './person.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export type Ask = {
  readonly device?: TestDevice;
  readonly headers?: Record<string, string>;
  /** Changes the token's claims. */
  readonly claims?: (claims: HttpClaims) => HttpClaims;
};

/** A keyserver over memory storage and virtual time, and people who talk to it. */
export type Fixture = {
  readonly app: FastifyInstance;
  readonly storage: MemoryStorage;
  readonly runtime: ManualRuntime;
  readonly removed: DeviceKey[];
  /** Every byte logged so far. */
  logged(): string;
  /** All that is stored, as one text: the same if and only if nothing changed. */
  stored(): string;
  /** A request with a token by the person's first device. */
  ask(person: Person, method: Method, path: string, body?: unknown, options?: Ask): Promise<LightMyRequestResponse>;
  /** A request without a token. */
  open(method: Method, path: string, body?: unknown, headers?: Record<string, string>): Promise<LightMyRequestResponse>;
  /** A new account. */
  person(oneTime?: number): Promise<Person>;
};

export async function createFixture(config: Partial<KeyserverConfig> = {}, level = 'trace'): Promise<Fixture> {
  const runtime = createManualRuntime();
  const storage = createMemoryStorage({ runtime });
  return createFixtureOver(storage, runtime, config, level);
}

export async function createFixtureOver(
  storage: MemoryStorage,
  runtime: ManualRuntime,
  config: Partial<KeyserverConfig> = {},
  level = 'trace',
): Promise<Fixture> {
  const lines: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk);
      done();
    },
  });
  const removed: DeviceKey[] = [];
  const app = await buildKeyserver({
    storage,
    runtime,
    log: pino({ level }, sink),
    config: { origins: [ORIGIN], ...config },
    onDevicesRemoved: (devices) => removed.push(...devices),
  });

  const send = (method: Method, path: string, body: unknown, headers: Record<string, string>) =>
    app.inject({
      method,
      url: path,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { payload: payloadOf(body) }),
    });

  const fixture: Fixture = {
    app,
    storage,
    runtime,
    removed,
    logged: () => Buffer.concat(lines).toString(),
    stored: () => inspect(storage.snapshot(), { depth: null, maxArrayLength: null, maxStringLength: null }),
    ask(
      person,
      method,
      path,
      body,
      { device = person.device, headers = {}, claims = (same: HttpClaims) => same } = {},
    ) {
      const payload = body === undefined ? undefined : payloadOf(body);
      const token = claims(claimsFor(person, device, runtime.clock.now(), { method, path, body: payload }));
      return send(method, path, body, { authorization: bearer(token, device), ...headers });
    },
    open: (method, path, body, headers = {}) => send(method, path, body, headers),
    async person(oneTime = 2) {
      const person = createPerson();
      const answer = await send('POST', '/v1/accounts', registration(person, oneTime), {});
      if (answer.statusCode !== 201) throw new Error(`registration failed: ${answer.body}`);
      return person;
    },
  };
  return fixture;
}

function payloadOf(body: unknown): string {
  return typeof body === 'string' ? body : JSON.stringify(body);
}

/** Status and code of a problem, after a look at its form. */
export function problemOf(answer: LightMyRequestResponse): { status: number; code: string } {
  const body = answer.json<{ status: number; code: string }>();
  if (!String(answer.headers['content-type']).startsWith('application/problem+json')) throw new Error('not a problem');
  if (body.status !== answer.statusCode) throw new Error('status differs from body');
  return { status: body.status, code: body.code };
}
