import { generateKeyPairSync, randomBytes, randomUUID, sign as signEd25519 } from 'node:crypto';
import { parseAccountId, readClaims, signToken } from '@waxwing/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { createFixture, problemOf, type Fixture } from './keyserver-fixture.ts';
import { bearer, claimsFor, createDevice, ORIGIN, type Person } from './person.ts';

const COUNT = '/v1/prekeys/count';

let f: Fixture;
let alice: Person;
beforeEach(async () => {
  f = await createFixture();
  alice = await f.person();
});

const nowS = () => Math.floor(f.runtime.clock.now() / 1_000);
const aliceClaims = () => claimsFor(alice, alice.device, f.runtime.clock.now(), { method: 'GET', path: COUNT });
const withAuthorization = (authorization: string) => f.open('GET', COUNT, undefined, { authorization });

describe('a token', () => {
  test('of a listed device for this request is taken', async () => {
    expect((await f.ask(alice, 'GET', COUNT)).statusCode).toBe(200);
  });

  test('that is missing is refused', async () => {
    expect(problemOf(await f.open('GET', COUNT))).toEqual({ status: 401, code: 'token_missing' });
  });

  const malformed: [string, (good: string) => string][] = [
    ['of another scheme', (good) => good.replace('Bearer', 'Basic')],
    ['with two parts', (good) => good.slice(0, good.lastIndexOf('.'))],
    ['with four parts', (good) => `${good}.AAAA`],
    ['that is empty', () => 'Bearer '],
    ['over its length', (good) => good + 'A'.repeat(5_000)],
    ['with a padded signature', (good) => `${good}==`],
    ['with alg none', (good) => good.replace(/ [^.]+/, ` ${base64({ alg: 'none', typ: 'JWT' })}`)],
    ['with alg HS256', (good) => good.replace(/ [^.]+/, ` ${base64({ alg: 'HS256', typ: 'JWT' })}`)],
    ['whose payload is no JSON', (good) => good.replace(/\.[^.]+\./, '.e30x.')],
  ];
  test.each(malformed)('%s is refused', async (_name, change) => {
    const answer = await withAuthorization(change(bearer(aliceClaims(), alice.device)));
    expect(problemOf(answer)).toEqual({ status: 401, code: 'token_malformed' });
  });

  test.each(['', 'x', '.', `${randomUUID()}.0`, `${randomUUID()}.128`, randomUUID(), '__proto__.1'])(
    'whose issuer is %j is refused',
    async (iss) => {
      const answer = await f.ask(alice, 'GET', COUNT, undefined, { claims: (claims) => ({ ...claims, iss }) });
      expect(problemOf(answer)).toEqual({ status: 401, code: 'token_malformed' });
    },
  );

  test.each([
    ['15 bytes', randomBytes(15).toString('base64url')],
    ['no base64url', '!'.repeat(22)],
    ['bits behind its end', `${'A'.repeat(21)}B`],
  ])('with a generation of %s is refused', async (_name, generation) => {
    const answer = await f.ask(alice, 'GET', COUNT, undefined, {
      claims: (claims) => ({ ...claims, gen: [generation] }),
    });
    expect(problemOf(answer)).toEqual({ status: 401, code: 'token_malformed' });
  });

  test('of the relay form is refused', async () => {
    const { iss, aud, iat, exp } = aliceClaims();
    const answer = await withAuthorization(bearer({ iss, aud, iat, exp, nonce: 'AAAA' }, alice.device));
    expect(problemOf(answer)).toEqual({ status: 401, code: 'token_form' });
  });

  test('of both forms at once is refused', async () => {
    const both = { ...aliceClaims(), nonce: 'AAAA' };
    const answer = await withAuthorization(bearer(both, alice.device));
    expect(problemOf(answer)).toEqual({ status: 401, code: 'token_malformed' });
  });

  const claimFaults: [string, string, (nowS: number) => object][] = [
    ['for another keyserver', 'token_audience', () => ({ aud: 'keys:https://evil.example' })],
    ['for the relay of this origin', 'token_audience', () => ({ aud: `relay:${ORIGIN}` })],
    ['that has expired', 'token_expired', (now) => ({ iat: now - 61, exp: now - 1 })],
    ['at the second it expires', 'token_expired', (now) => ({ iat: now - 60, exp: now })],
    ['from the future', 'token_expired', (now) => ({ iat: now + 6, exp: now + 60 })],
    ['that lives 61 seconds', 'token_expired', (now) => ({ iat: now, exp: now + 61 })],
    ['for another request', 'token_replayed', () => ({ req: randomBytes(32).toString('base64url') })],
  ];
  test.each(claimFaults)('%s is refused', async (_name, code, change) => {
    const answer = await f.ask(alice, 'GET', COUNT, undefined, {
      claims: (claims) => ({ ...claims, ...change(nowS()) }),
    });
    expect(problemOf(answer)).toEqual({ status: 401, code });
  });

  test('names method, path, query and body: changing any of them is refused', async () => {
    const path = '/v1/usernames/lookup';
    const body = JSON.stringify({ hash: 'A'.repeat(43) });
    const claims = claimsFor(alice, alice.device, f.runtime.clock.now(), { method: 'POST', path, body });
    const authorization = bearer(claims, alice.device);
    const other = JSON.stringify({ hash: `B${'A'.repeat(42)}` });
    const replays = [
      await f.open('PUT', '/v1/username', body, { authorization }),
      await f.open('POST', `${path}?x=1`, body, { authorization }),
      await f.open('POST', path, other, { authorization }),
      await f.open('POST', path, `${body} `, { authorization }),
    ];
    for (const replay of replays) expect(problemOf(replay)).toEqual({ status: 401, code: 'token_replayed' });
    expect(problemOf(await f.open('POST', path, body, { authorization }))).toEqual({ status: 404, code: 'not_found' });
  });

  test('covers the body as received, spaces and all', async () => {
    const body = `{ "hash" :\n "${'A'.repeat(43)}" }`;
    expect(problemOf(await f.ask(alice, 'POST', '/v1/usernames/lookup', body)).code).toBe('not_found');
  });

  test('is taken for every origin of the server, also one that was added later', async () => {
    const origins = ['https://keys.example'];
    const g = await createFixture({ origins });
    const person = await g.person();
    const local = {
      claims: (claims: ReturnType<typeof aliceClaims>) => ({ ...claims, aud: 'keys:http://127.0.0.1:7700' }),
    };
    expect(problemOf(await g.ask(person, 'GET', COUNT, undefined, local)).code).toBe('token_audience');
    origins.push('http://127.0.0.1:7700/');
    expect((await g.ask(person, 'GET', COUNT, undefined, local)).statusCode).toBe(200);
  });
});

// "Unknown account and no permission: the same answer in like time."
describe('who is not there and who cannot sign', () => {
  /** Everything of an answer but the time. */
  const shape = (answer: Awaited<ReturnType<Fixture['open']>>) => ({
    status: answer.statusCode,
    headers: { ...answer.headers, date: undefined },
    body: answer.body,
  });

  test('get one answer: unknown account, unknown device, foreign key, removed device', async () => {
    const stranger = createDevice(1, 1);
    const unknownAccount = await f.ask({ ...alice, account: parseAccountId(randomUUID()) }, 'GET', COUNT);
    const unknownDevice = await f.ask(alice, 'GET', COUNT, undefined, { device: createDevice(2, 1) });
    const foreignKey = await f.ask(alice, 'GET', COUNT, undefined, { device: stranger });
    expect(problemOf(foreignKey)).toEqual({ status: 401, code: 'token_rejected' });
    expect(shape(unknownAccount)).toEqual(shape(foreignKey));
    expect(shape(unknownDevice)).toEqual(shape(foreignKey));
  });

  test('are verified against a key all the same, so that absence takes as long', async () => {
    // The key that stands in for a missing device is the public key of a published test vector: its signature verifies,
    // and is refused all the same.
    const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
    const jwk = {
      kty: 'OKP',
      crv: 'Ed25519',
      d: seed.toString('base64url'),
      x: Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex').toString('base64url'),
    };
    const ghost = {
      ...createDevice(9, 1),
      sign: (message: Uint8Array) => signEd25519(null, message, { key: jwk, format: 'jwk' }),
    };
    expect(problemOf(await f.ask(alice, 'GET', COUNT, undefined, { device: ghost })).code).toBe('token_rejected');
  });

  test('a signature by a key of another kind is refused', async () => {
    const { privateKey } = generateKeyPairSync('ed448');
    const token = signToken(aliceClaims(), (message) => signEd25519(null, message, privateKey));
    expect(problemOf(await withAuthorization(`Bearer ${token}`)).code).toBe('token_rejected');
  });

  test('a claim changed after signing is refused', async () => {
    const [header, , signature] = signToken(aliceClaims(), alice.device.sign).split('.');
    const changed = base64({ ...aliceClaims(), exp: nowS() + 59 });
    const answer = await withAuthorization(`Bearer ${header}.${changed}.${signature}`);
    expect(problemOf(answer).code).toBe('token_rejected');
  });
});

describe('the clone guard', () => {
  const key = () => ({ account: alice.account, device: alice.device.listed.device, addedIn: 1 });

  test('a token whose generations hold the stored one is taken, and stores nothing', async () => {
    await f.storage.directory.claimGeneration(key(), alice.device.generations);
    const before = f.stored();
    alice.device.generations.push(randomBytes(16));
    expect((await f.ask(alice, 'GET', COUNT)).statusCode).toBe(200);
    expect(f.stored()).toBe(before);
  });

  test('a token whose generations lack the stored one is a clone', async () => {
    await f.storage.directory.claimGeneration(key(), [randomBytes(16)]);
    expect(problemOf(await f.ask(alice, 'GET', COUNT))).toEqual({ status: 403, code: 'cloned' });
  });

  test('a clone without a good signature learns nothing of it', async () => {
    await f.storage.directory.claimGeneration(key(), [randomBytes(16)]);
    const answer = await f.ask(alice, 'GET', COUNT, undefined, { device: createDevice(1, 1) });
    expect(problemOf(answer).code).toBe('token_rejected');
  });

  test('65 generations are refused', async () => {
    alice.device.generations.push(...Array.from({ length: 64 }, () => randomBytes(16)));
    expect(problemOf(await f.ask(alice, 'GET', COUNT)).code).toBe('token_malformed');
  });
});

describe('a 401', () => {
  test("carries the server's time, with which a token made by a wrong clock is made anew", async () => {
    f.runtime.stepClock(25 * 3_600_000);
    const stale = {
      claims: (claims: ReturnType<typeof aliceClaims>) => ({
        ...claims,
        iat: claims.iat - 90_000,
        exp: claims.exp - 90_000,
      }),
    };
    const answer = await f.ask(alice, 'GET', COUNT, undefined, stale);
    expect(problemOf(answer)).toEqual({ status: 401, code: 'token_expired' });
    expect(answer.headers['www-authenticate']).toBe('Bearer');
    const serverMs = Date.parse(String(answer.headers.date));
    const again = {
      claims: (claims: ReturnType<typeof aliceClaims>) => ({
        ...claims,
        iat: serverMs / 1_000,
        exp: serverMs / 1_000 + 60,
      }),
    };
    expect((await f.ask(alice, 'GET', COUNT, undefined, again)).statusCode).toBe(200);
  });
});

test('a good token still reads as what it is', () => {
  expect(readClaims(bearer(aliceClaims(), alice.device).slice(7))).toMatchObject({ aud: `keys:${ORIGIN}` });
});

function base64(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
