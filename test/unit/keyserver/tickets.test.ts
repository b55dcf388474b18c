import { sign } from 'node:crypto';
import { errorRow, limits, type ErrorCode } from '@waxwing/protocol';
import { createMemoryStorage } from '@waxwing/storage';
import type { JWTPayload } from 'jose';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  forgeTicket,
  hmac,
  issuerKey,
  ISSUER,
  keySetOf,
  signTicket,
  ticketClaims,
} from '../../support/ticket-issuer.ts';
import { createFixture, createFixtureOver, problemOf, type Fixture } from './keyserver-fixture.ts';
import { createPerson, ORIGIN, registration, type Person } from './person.ts';

const key = issuerKey('first');
const elliptic = issuerKey('elliptic', 'p256');
const loadKeys = () => keySetOf([key, elliptic]);
const config = { tickets: { issuer: ISSUER, loadKeys } };

let f: Fixture;
beforeEach(async () => {
  f = await createFixture(config);
});

/** What is undefined is left out. */
type Changes = Readonly<Record<string, unknown>>;

const claims = (changes: Changes = {}): JWTPayload => ({
  ...ticketClaims(ORIGIN, f.runtime.clock.now()),
  ...changes,
});
const seconds = (): number => Math.floor(f.runtime.clock.now() / 1_000);

function register(body: unknown, ticket?: string, headers: Record<string, string> = {}) {
  const shown: Record<string, string> = ticket === undefined ? {} : { 'waxwing-ticket': ticket };
  return f.open('POST', '/v1/accounts', body, { ...shown, ...headers });
}

/** Refused with this, and nothing is stored: neither an account nor that the ticket was seen. */
async function expectRefused(ticket: string | undefined, code: ErrorCode): Promise<void> {
  const before = f.stored();
  const { status } = errorRow(code);
  expect(problemOf(await register(registration(createPerson()), ticket))).toEqual({ status, code });
  expect(f.stored()).toBe(before);
}

async function expectTaken(person: Person, ticket: string): Promise<void> {
  expect((await register(registration(person), ticket)).statusCode).toBe(201);
  expect(await f.storage.directory.deviceList(person.account)).toBeDefined();
}

describe('a ticket lets in', () => {
  test.each([key, elliptic])('an account, signed with $alg', async (signer) => {
    await expectTaken(createPerson(), await signTicket(signer, claims()));
  });

  test('an account at any of the origins that the server is dialled by', async () => {
    f = await createFixture({ ...config, origins: ['https://other.example', ORIGIN] });
    await expectTaken(createPerson(), await signTicket(key, claims()));
  });

  test('one account, whatever else it says and however its id is asked again', async () => {
    const jti = 'once';
    await expectTaken(createPerson(), await signTicket(key, claims({ jti })));
    await expectRefused(await signTicket(key, claims({ jti })), 'ticket_used');
    await expectRefused(await signTicket(elliptic, claims({ jti, sub: 'another' })), 'ticket_used');
  });

  test('one of those who come with it at the same time', async () => {
    const ticket = await signTicket(key, claims());
    const people = [1, 2, 3, 4].map(() => createPerson());
    const answers = await Promise.all(people.map((person) => register(registration(person, 1), ticket)));
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([201, 401, 401, 401]);
    const lists = await Promise.all(people.map(({ account }) => f.storage.directory.deviceList(account)));
    expect(lists.filter((list) => list !== undefined)).toHaveLength(1);
  });

  test('nobody else after the server was started anew', async () => {
    const ticket = await signTicket(key, claims());
    await expectTaken(createPerson(), ticket);
    const storage = createMemoryStorage({ runtime: f.runtime, from: f.storage.snapshot() });
    f = await createFixtureOver(storage, f.runtime, config);
    await expectRefused(ticket, 'ticket_used');
  });

  test('nobody else when the clock was set back after it had ended', async () => {
    const ticket = await signTicket(key, claims());
    await expectTaken(createPerson(), ticket);
    f.runtime.stepClock(limits.ticketKeptMs);
    await expectTaken(createPerson(), await signTicket(key, claims()));
    f.runtime.stepClock(-limits.ticketKeptMs);
    await expectRefused(ticket, 'ticket_used');
  });

  test('until a few seconds after its end, for clocks that differ', async () => {
    const ticket = await signTicket(key, claims({ exp: seconds() + 60 }));
    const late = await signTicket(key, claims({ exp: seconds() + 60 }));
    f.runtime.advance(60_000 + limits.ticketToleranceMs - 1_000);
    await expectTaken(createPerson(), ticket);
    f.runtime.advance(1_000);
    await expectRefused(late, 'ticket_expired');
  });
});

describe('the same registration again', () => {
  test('has the same answer with its used ticket, an ended one, a foreign one or none', async () => {
    const body = registration(createPerson());
    const ticket = await signTicket(key, claims());
    const headers = { 'idempotency-key': 'k' };
    const first = await register(body, ticket, headers);
    expect(first.statusCode).toBe(201);
    const repeats = [
      await register(body, ticket, headers),
      await register(body, ticket),
      await register(body, 'x.y.z'),
    ];
    f.runtime.advance(limits.ticketLifetimeMs * 2);
    repeats.push(await register(body, ticket, headers), await register(body));
    for (const repeat of repeats) expect([repeat.statusCode, repeat.body]).toEqual([201, first.body]);
  });

  test('that was refused for its ticket is taken with a better one, under the same Idempotency-Key', async () => {
    const body = registration(createPerson());
    const headers = { 'idempotency-key': 'k' };
    const old = await signTicket(key, claims({ iat: seconds() - 300, exp: seconds() - 200 }));
    expect(problemOf(await register(body, old, headers)).code).toBe('ticket_expired');
    expect((await register(body, await signTicket(key, claims()), headers)).statusCode).toBe(201);
  });

  test('with another list is another registration: the account is taken, and its ticket not used up', async () => {
    const person = createPerson();
    await expectTaken(person, await signTicket(key, claims()));
    const ticket = await signTicket(key, claims());
    const other = registration(createPerson({ account: person.account }));
    expect(problemOf(await register(other)).code).toBe('ticket_missing');
    expect(problemOf(await register(other, ticket)).code).toBe('account_exists');
    await expectTaken(createPerson(), ticket);
  });
});

describe('is refused, and nothing is stored:', () => {
  test('no ticket', () => expectRefused(undefined, 'ticket_missing'));

  const wrongClaims: [string, (now: number) => Changes, ErrorCode][] = [
    ['a ticket past its time', (now) => ({ iat: now - 200, exp: now - 100 }), 'ticket_expired'],
    ['one from the future', (now) => ({ iat: now + 10, exp: now + 100 }), 'ticket_expired'],
    ['one that is not valid yet', (now) => ({ nbf: now + 60 }), 'ticket_expired'],
    ['one that lives too long', (now) => ({ exp: now + limits.ticketLifetimeMs / 1_000 + 1 }), 'ticket_expired'],
    ['one without end', () => ({ exp: undefined }), 'ticket_rejected'],
    ['one without a beginning', () => ({ iat: undefined }), 'ticket_rejected'],
    ['a foreign issuer', () => ({ iss: 'https://evil.example' }), 'ticket_rejected'],
    ['no issuer', () => ({ iss: undefined }), 'ticket_rejected'],
    ['a foreign audience', () => ({ aud: 'https://other.example' }), 'ticket_rejected'],
    ['the audience of a device token', () => ({ aud: `keys:${ORIGIN}` }), 'ticket_rejected'],
    ['no audience', () => ({ aud: undefined }), 'ticket_rejected'],
    ['no id', () => ({ jti: undefined }), 'ticket_rejected'],
    ['an empty id', () => ({ jti: '' }), 'ticket_rejected'],
    ['an id that is too long', () => ({ jti: 'j'.repeat(limits.ticketIdMaxBytes + 1) }), 'ticket_rejected'],
  ];
  test.each(wrongClaims)('%s', async (_name, change, code) => {
    await expectRefused(await signTicket(key, claims(change(seconds()))), code);
  });

  test('a ticket that no key of the issuer signed, though it names one', async () => {
    await expectRefused(await signTicket(issuerKey('first'), claims()), 'ticket_rejected');
  });

  test('a ticket by a key that the issuer does not have', async () => {
    await expectRefused(await signTicket(issuerKey('unknown'), claims()), 'ticket_rejected');
  });

  test('a ticket that names no key', async () => {
    const ticket = await signTicket(key, claims(), { kid: undefined });
    await expectRefused(ticket, 'ticket_rejected');
  });

  const none = () => new Uint8Array();
  const publicText = elliptic.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const forged: [string, object, (input: string) => Uint8Array][] = [
    ['no algorithm', { alg: 'none', kid: 'first' }, none],
    ['no algorithm, in other letters', { alg: 'nOnE', kid: 'first' }, none],
    ['the public key as a secret', { alg: 'HS256', kid: 'elliptic' }, hmac(publicText)],
    ['the raw public key as a secret', { alg: 'HS256', kid: 'first' }, hmac(rawPublicKey())],
    ['an empty signature', { alg: 'EdDSA', kid: 'first' }, none],
    ['the algorithm of another key', { alg: 'ES256', kid: 'first' }, () => new Uint8Array(64)],
    ['an ECDSA signature of zeros', { alg: 'ES256', kid: 'elliptic' }, () => new Uint8Array(64)],
    ['a critical extension', { alg: 'EdDSA', kid: 'first', crit: ['x'], x: 1 }, none],
  ];
  test.each(forged)('%s', async (_name, header, signer) => {
    await expectRefused(forgeTicket(header, claims(), signer), 'ticket_rejected');
  });

  test('a ticket by an Ed25519 key under the algorithm of the other', async () => {
    const ticket = forgeTicket({ alg: 'ES256', kid: 'first' }, claims(), (input) =>
      sign(null, Buffer.from(input), key.privateKey),
    );
    await expectRefused(ticket, 'ticket_rejected');
  });

  test('a key that the ticket brings along', async () => {
    const own = issuerKey('own');
    const ticket = await signTicket(own, claims(), { kid: 'first', jwk: own.publicKey.export({ format: 'jwk' }) });
    await expectRefused(ticket, 'ticket_rejected');
  });

  test.each(['x', 'a.b.c', '..', '{}', 'e30.e30.'])('what is no ticket: %s', (ticket) =>
    expectRefused(ticket, 'ticket_rejected'),
  );

  test('a ticket over its length', async () => {
    const ticket = await signTicket(key, claims({ more: 'x'.repeat(limits.ticketMaxBytes) }));
    await expectRefused(ticket, 'malformed');
  });
});

describe('the keys', () => {
  test('that cannot be loaded refuse nothing for good, and the log says why', async () => {
    let isDown = true;
    const load = () => (isDown ? keySetOf([]) : loadKeys());
    f = await createFixture({ tickets: { issuer: ISSUER, loadKeys: load } });
    const before = f.stored();
    const body = registration(createPerson(), 0);
    const ticket = await signTicket(key, claims());
    const refused = await register(body, ticket);
    expect(problemOf(refused)).toEqual({ status: 503, code: 'unavailable' });
    expect(refused.headers['retry-after']).toBe(String(limits.ticketKeysCooldownMs / 1_000));
    expect(f.stored()).toBe(before);
    expect(f.logged()).toContain('the keys of tickets could not be loaded');
    expect(f.logged()).toContain('has no public Ed25519 or P-256 key');
    isDown = false;
    f.runtime.advance(limits.ticketKeysCooldownMs);
    expect((await register(body, ticket)).statusCode).toBe(201);
  });

  test('may be rotated: a new one is taken, an old one no longer', async () => {
    let listed = [key];
    f = await createFixture({ tickets: { issuer: ISSUER, loadKeys: () => keySetOf(listed) } });
    await expectTaken(createPerson(), await signTicket(key, claims()));
    listed = [elliptic];
    f.runtime.advance(limits.ticketKeysFreshMs);
    await expectTaken(createPerson(), await signTicket(elliptic, claims()));
    f.runtime.advance(limits.ticketKeysCooldownMs);
    await expectRefused(await signTicket(key, claims()), 'ticket_rejected');
  });
});

test('only who has a signed ticket is told which claim is wrong, and never what would be right', async () => {
  const answer = async (ticket: string) =>
    (await register(registration(createPerson(), 0), ticket)).json<{ detail?: string }>();
  const wrong = { aud: 'https://other.example' };
  expect((await answer(await signTicket(key, claims(wrong)))).detail).toBe('aud');
  const forged = await answer(await signTicket(issuerKey('first'), claims(wrong)));
  expect(forged.detail).toBeUndefined();
  expect(JSON.stringify(forged)).not.toMatch(/app\.example|keys\.example/);
});

test('what a ticket says reaches neither the store nor the log', async () => {
  const ticket = await signTicket(key, claims({ jti: 'canary-id', sub: 'canary-user' }));
  await expectTaken(createPerson(), ticket);
  for (const text of ['canary-id', 'canary-user', ticket, ISSUER]) {
    expect(f.stored()).not.toContain(text);
    expect(f.logged()).not.toContain(text);
  }
});

test('where registration is open a ticket is not looked at', async () => {
  f = await createFixture();
  await expectTaken(createPerson(), 'x.y.z');
});

function rawPublicKey(): Uint8Array {
  return Buffer.from(String(key.publicKey.export({ format: 'jwk' }).x), 'base64url');
}
