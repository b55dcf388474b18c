import { limits } from '@waxwing/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { createFixture, problemOf, type Fixture } from './keyserver-fixture.ts';
import { usernameOf, type Person } from './person.ts';

let f: Fixture;
let alice: Person;
let bob: Person;
beforeEach(async () => {
  f = await createFixture();
  [alice, bob] = [await f.person(), await f.person()];
});

const put = (person: Person, name: string) => f.ask(person, 'PUT', '/v1/username', usernameOf(name));
const lookUp = (name: string) => f.ask(bob, 'POST', '/v1/usernames/lookup', { hash: usernameOf(name).hash });

describe('a username', () => {
  test('is found by its hash once it is set', async () => {
    expect(problemOf(await lookUp('alice.01'))).toEqual({ status: 404, code: 'not_found' });
    expect((await put(alice, 'alice.01')).statusCode).toBe(204);
    expect((await put(alice, 'alice.01')).statusCode).toBe(204);
    expect((await lookUp('alice.01')).json()).toEqual({ account: alice.account });
  });

  test('replaces the one before', async () => {
    await put(alice, 'alice.01');
    await put(alice, 'alice.02');
    expect(problemOf(await lookUp('alice.01')).code).toBe('not_found');
    expect((await lookUp('alice.02')).json()).toEqual({ account: alice.account });
  });

  test('of another account is taken, also for 30 days after it was given up', async () => {
    await put(alice, 'alice.01');
    expect(problemOf(await put(bob, 'alice.01'))).toEqual({ status: 409, code: 'username_taken' });
    expect((await f.ask(alice, 'DELETE', '/v1/username')).statusCode).toBe(204);
    expect((await f.ask(alice, 'DELETE', '/v1/username')).statusCode).toBe(204);
    expect(problemOf(await lookUp('alice.01')).code).toBe('not_found');
    expect(problemOf(await put(bob, 'alice.01')).code).toBe('username_taken');
    f.runtime.advance(limits.usernameRestMs);
    expect((await put(bob, 'alice.01')).statusCode).toBe(204);
  });

  test.each([
    [
      'a proof for another name',
      { hash: usernameOf('alice.01').hash, proof: usernameOf('bob.01').proof },
      422,
      'bad_proof',
    ],
    ['a hash that is no point', { hash: `${'_'.repeat(42)}8`, proof: usernameOf('bob.01').proof }, 422, 'bad_proof'],
    ['a short hash', { hash: 'A'.repeat(42), proof: usernameOf('bob.01').proof }, 400, 'malformed'],
    ['a short proof', { hash: usernameOf('alice.01').hash, proof: 'AAAA' }, 400, 'malformed'],
    ['the name itself', { ...usernameOf('alice.01'), username: 'alice.01' }, 400, 'malformed'],
  ])('with %s is refused', async (_name, body, status, code) => {
    expect(problemOf(await f.ask(alice, 'PUT', '/v1/username', body))).toEqual({ status, code });
    expect(problemOf(await lookUp('alice.01')).code).toBe('not_found');
  });
});

describe('taking names', () => {
  const count = limits.usernamesPerAccountBurst;
  const takeAll = async () => {
    for (let i = 1; i <= count; i++) expect((await put(alice, `alice${i}.01`)).statusCode).toBe(204);
  };

  test('is limited per account: five, then one more a day', async () => {
    await takeAll();
    const answer = await put(alice, 'alice.99');
    expect(problemOf(answer)).toEqual({ status: 429, code: 'rate_limited' });
    expect(answer.headers['retry-after']).toBe('86400');
    expect(problemOf(await lookUp('alice.99')).code).toBe('not_found');
    expect((await lookUp(`alice${count}.01`)).json()).toEqual({ account: alice.account });
    expect((await put(bob, 'alice.99')).statusCode).toBe(204);
    f.runtime.advance(limits.usernamesPerAccountRefillMs);
    expect((await put(alice, 'alice.98')).statusCode).toBe(204);
    expect((await put(alice, 'alice.97')).statusCode).toBe(429);
  });

  test('is not made boundless by giving each up', async () => {
    for (let i = 1; i <= count; i++) {
      expect((await put(alice, `alice${i}.01`)).statusCode).toBe(204);
      await f.ask(alice, 'DELETE', '/v1/username');
    }
    expect((await put(alice, 'alice.99')).statusCode).toBe(429);
  });

  test('counts nothing where the account has the name already', async () => {
    await takeAll();
    for (let i = 0; i <= limits.usernameLookupsPerCallerBurst; i++) {
      expect((await put(alice, `alice${count}.01`)).statusCode).toBe(204);
    }
  });

  test('of others is answered as often as a lookup, and leaves the own ones', async () => {
    await put(bob, 'bob.01');
    for (let i = 0; i < limits.usernameLookupsPerCallerBurst; i++) {
      expect(problemOf(await put(alice, 'bob.01')).code).toBe('username_taken');
    }
    const answer = await put(alice, 'bob.01');
    expect(problemOf(answer)).toEqual({ status: 429, code: 'rate_limited' });
    expect(answer.headers['retry-after']).toBe('9');
    await takeAll();
  });
});

describe('lookups', () => {
  test('are limited per account: a burst of 100, then one more every 9 seconds', async () => {
    const ask = () => f.ask(bob, 'POST', '/v1/usernames/lookup', { hash: 'A'.repeat(43) });
    for (let i = 0; i < limits.usernameLookupsPerCallerBurst; i++) expect((await ask()).statusCode).toBe(404);
    const answer = await ask();
    expect(problemOf(answer)).toEqual({ status: 429, code: 'rate_limited' });
    expect(answer.headers['retry-after']).toBe('9');
    f.runtime.advance(9_000);
    expect((await ask()).statusCode).toBe(404);
    expect((await ask()).statusCode).toBe(429);
  });

  test('beyond the limit answer the same for a name that exists and one that does not', async () => {
    await put(alice, 'alice.01');
    for (let i = 0; i < limits.usernameLookupsPerCallerBurst; i++) await lookUp('nobody.01');
    expect((await lookUp('alice.01')).body).toBe((await lookUp('nobody.01')).body);
  });
});
