import { randomBytes, randomUUID } from 'node:crypto';
import { KEMPublicKey, PublicKey } from '@signalapp/libsignal-client';
import { limits, type BundlesJson } from '@waxwing/protocol';
import type { LightMyRequestResponse } from 'fastify';
import { beforeEach, describe, expect, test } from 'vitest';
import { createFixture, problemOf, type Ask, type Fixture } from './keyserver-fixture.ts';
import { bearer, claimsFor, createDevice, createPerson, listText, prekeys, type Person } from './person.ts';

const PATH = '/v1/bundles';

let f: Fixture;
let alice: Person;
let bob: Person;
beforeEach(async () => {
  f = await createFixture();
  [alice, bob] = [await f.person(), await f.person(3)];
});

/** A second later: two equal requests in one second have one token. */
const ask = (person: Person, accounts: readonly string[], options?: Ask) => {
  f.runtime.advance(1_000);
  return f.ask(person, 'POST', PATH, { accounts }, options);
};
const bundlesOf = (answer: LightMyRequestResponse) => {
  if (answer.statusCode !== 200) throw new Error(answer.body);
  return answer.json<BundlesJson>().bundles;
};
const oneTimeIds = (answer: LightMyRequestResponse) =>
  bundlesOf(answer).flatMap(({ devices }) => devices.map(({ oneTimeKey }) => oneTimeKey?.id));

describe('POST /v1/bundles', () => {
  test('gives the signed list and verifiable keys of every device', async () => {
    const answer = await ask(alice, [bob.account]);
    expect(answer.headers['cache-control']).toBe('no-store');
    const [bundle] = bundlesOf(answer);
    expect(bundle).toMatchObject({ account: bob.account, deviceList: listText(bob.signed) });
    const [device] = bundle!.devices;
    expect(device).toMatchObject({ device: 1, registrationId: bob.device.listed.registrationId });
    const identity = bob.identity.publicKey;
    const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'));
    for (const key of [device!.signedPrekey, device!.kyberKey]) {
      expect(identity.verify(bytes(key.publicKey), bytes(key.signature))).toBe(true);
    }
    expect(() => PublicKey.deserialize(bytes(device!.oneTimeKey!.publicKey))).not.toThrow();
    expect(() => KEMPublicKey.deserialize(bytes(device!.kyberKey.publicKey))).not.toThrow();
  });

  test('hands out each one-time key once, then the last-resort Kyber key and no one-time key', async () => {
    const answers = [];
    for (let i = 0; i < 4; i++) answers.push(bundlesOf(await ask(alice, [bob.account]))[0]!.devices[0]!);
    expect(answers.map(({ oneTimeKey }) => oneTimeKey?.id)).toEqual([1, 2, 3, undefined]);
    expect(answers.map(({ kyberKey }) => kyberKey.id)).toEqual([1, 2, 3, 1_000_000]);
  });

  test('answers many callers at once without giving one key twice', async () => {
    const people = await Promise.all(Array.from({ length: 12 }, () => f.person(0)));
    await f.ask(bob, 'PUT', '/v1/prekeys', { oneTimeKeys: prekeys(bob.identity, 6, 10).oneTimeKeys });
    const answers = await Promise.all(people.map((person) => f.ask(person, 'POST', PATH, { accounts: [bob.account] })));
    const ids = answers.flatMap(oneTimeIds).filter((id) => id !== undefined);
    expect(ids).toHaveLength(9);
    expect(new Set(ids).size).toBe(9);
  });

  test('leaves out accounts that do not exist, and asks no account twice', async () => {
    const asked = [randomUUID(), bob.account, randomUUID(), bob.account.toUpperCase()];
    const bundles = bundlesOf(await ask(alice, asked));
    expect(bundles.map(({ account }) => account)).toEqual([bob.account]);
    const key = { account: bob.account, device: bob.device.listed.device, addedIn: 1 };
    expect(await f.storage.prekeys.count(key)).toEqual({ oneTimeKeys: 2, oneTimeKyberKeys: 2 });
  });

  test.each([
    ['no account', []],
    ['101 accounts', Array.from({ length: 101 }, () => randomUUID())],
    ['an account that is no UUID', ['x'.repeat(36)]],
    ['a number', [7]],
  ])('refuses %s', async (_name, accounts) => {
    const answer = await f.ask(alice, 'POST', PATH, { accounts });
    expect(problemOf(answer)).toEqual({ status: 400, code: 'malformed' });
  });
});

test('more bundles than one answer may hold are refused, and cost nothing', async () => {
  const devices = Array.from({ length: limits.devicesPerAccount }, (_, index) => createDevice(index + 1, 1).listed);
  const accounts = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const person = createPerson({ devices });
      const list = { signed: Buffer.from(listText(person.signed), 'base64url'), list: person.list };
      await f.storage.directory.register({ list, prekeys: {} });
      return person.account;
    }),
  );
  expect(problemOf(await ask(alice, accounts))).toEqual({ status: 413, code: 'too_large' });
  expect(bundlesOf(await ask(alice, accounts.slice(1)))).toHaveLength(7);
});

describe('a pair', () => {
  test('gets six takes of one-time keys, then bundles without, and one more after 10 minutes', async () => {
    await f.ask(bob, 'PUT', '/v1/prekeys', { oneTimeKeys: prekeys(bob.identity, 20, 10).oneTimeKeys });
    const ids = [];
    for (let i = 0; i < 8; i++) ids.push(...oneTimeIds(await ask(alice, [bob.account])));
    expect(ids.map((id) => id !== undefined)).toEqual([true, true, true, true, true, true, false, false]);
    f.runtime.advance(limits.oneTimeTakesPerPairRefillMs);
    expect(oneTimeIds(await ask(alice, [bob.account]))).not.toEqual([undefined]);
    expect(oneTimeIds(await ask(alice, [bob.account]))).toEqual([undefined]);
  });

  test('of another caller has its own takes', async () => {
    await f.ask(bob, 'PUT', '/v1/prekeys', { oneTimeKeys: prekeys(bob.identity, 20, 10).oneTimeKeys });
    for (let i = 0; i < 7; i++) await ask(alice, [bob.account]);
    const carol = await f.person();
    expect(oneTimeIds(await ask(carol, [bob.account]))).not.toEqual([undefined]);
  });

  test('that asks without pause takes six one-time keys of a device, and its bundle stays whole', async () => {
    const [caller, target] = [await f.person(), await f.person(50)];
    const key = { account: target.account, device: target.device.listed.device, addedIn: 1 };
    for (let i = 0; i < 300; i++) {
      const claims = <T extends object>(token: T): T => Object.assign(token, { again: i });
      const answer = await f.ask(caller, 'POST', PATH, { accounts: [target.account] }, { claims });
      expect(bundlesOf(answer)[0]!.devices[0]!.kyberKey.id).toBeGreaterThan(0);
    }
    expect(await f.storage.prekeys.count(key)).toEqual({ oneTimeKeys: 44, oneTimeKyberKeys: 44 });
  });
});

describe('a caller', () => {
  test('gets a burst of 3,000 bundles, then rate_limited with the time to wait', async () => {
    const unknown = Array.from({ length: 100 }, () => randomUUID());
    for (let i = 0; i < 30; i++)
      expect((await f.ask(alice, 'POST', PATH, { accounts: unknown.map(() => randomUUID()) })).statusCode).toBe(200);
    const answer = await f.ask(alice, 'POST', PATH, { accounts: unknown });
    expect(problemOf(answer)).toEqual({ status: 429, code: 'rate_limited' });
    expect(answer.headers['retry-after']).toBe(String(100 / limits.bundlesPerCallerRefillPerSecond));
    expect((await ask(bob, unknown)).statusCode).toBe(200);
    f.runtime.advance(20_000);
    expect((await ask(alice, unknown)).statusCode).toBe(200);
  });
});

describe('a token for bundles', () => {
  const twice = async (change: (authorization: string) => string, headers: [object, object] = [{}, {}]) => {
    const body = JSON.stringify({ accounts: [bob.account] });
    const claims = claimsFor(alice, alice.device, f.runtime.clock.now(), { method: 'POST', path: PATH, body });
    const authorization = bearer(claims, alice.device);
    const first = await f.open('POST', PATH, body, { authorization, ...headers[0] });
    const second = await f.open('POST', PATH, body, { authorization: change(authorization), ...headers[1] });
    expect(first.statusCode).toBe(200);
    return { first, second };
  };

  test('is refused the second time', async () => {
    const { second } = await twice((same) => same);
    expect(problemOf(second)).toEqual({ status: 401, code: 'token_replayed' });
  });

  test('is refused the second time in another spelling of the same signature', async () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const { second } = await twice((authorization) => {
      const last = alphabet.indexOf(authorization.at(-1)!);
      const respelled = `${authorization.slice(0, -1)}${alphabet[last ^ 1]}`;
      const bytes = (text: string) => Buffer.from(text.slice(text.lastIndexOf('.') + 1), 'base64url');
      expect(bytes(respelled)).toEqual(bytes(authorization));
      return respelled;
    });
    expect(problemOf(second)).toEqual({ status: 401, code: 'token_replayed' });
  });

  test('is refused the second time under another Idempotency-Key', async () => {
    const { second } = await twice((same) => same, [{ 'idempotency-key': 'one' }, { 'idempotency-key': 'two' }]);
    expect(problemOf(second)).toEqual({ status: 401, code: 'token_replayed' });
  });

  test('gives the same answer the second time under the same Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'one' };
    const { first, second } = await twice((same) => same, [headers, headers]);
    expect(second.body).toBe(first.body);
  });
});

describe('Idempotency-Key', () => {
  const headers = { 'idempotency-key': 'k' };

  test('gives the same answer for 60 s, with fresh tokens, taking keys once', async () => {
    const first = await ask(alice, [bob.account], { headers });
    f.runtime.advance(58_000);
    const second = await ask(alice, [bob.account], { headers });
    expect(second.body).toBe(first.body);
    expect(oneTimeIds(await ask(alice, [bob.account], { headers }))).toEqual([2]);
  });

  test('gives the same answer to requests at the same time', async () => {
    f.runtime.advance(1_000);
    const answers = await Promise.all(
      [0, 1, 2].map((less) =>
        f.ask(
          alice,
          'POST',
          PATH,
          { accounts: [bob.account] },
          { headers, claims: (claims) => ({ ...claims, exp: claims.exp - less }) },
        ),
      ),
    );
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    expect(oneTimeIds(answers[0]!)).toEqual([1]);
  });

  test('with another body is a conflict', async () => {
    await ask(alice, [bob.account], { headers });
    const answer = await ask(alice, [alice.account], { headers });
    expect(problemOf(answer)).toEqual({ status: 422, code: 'idempotency_conflict' });
  });

  test('of another caller is another key', async () => {
    await ask(alice, [bob.account], { headers });
    const carol = await f.person();
    expect(oneTimeIds(await ask(carol, [bob.account], { headers }))).toEqual([2]);
  });

  test('does not open another device its answer: a clone with the key is refused', async () => {
    await ask(alice, [bob.account], { headers });
    const key = { account: alice.account, device: alice.device.listed.device, addedIn: 1 };
    await f.storage.directory.claimGeneration(key, [randomBytes(16)]);
    expect(problemOf(await ask(alice, [bob.account], { headers })).code).toBe('cloned');
  });
});
