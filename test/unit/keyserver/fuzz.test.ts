import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { createFixture, problemOf, type Fixture } from './keyserver-fixture.ts';
import { createPerson, prekeys, registration, usernameOf, type Person } from './person.ts';

const wide = { burst: 1e9, refillMs: 0.001 };
const RUNS = 60;

let f: Fixture;
let alice: Person;
let bodies: Record<string, { method: 'POST' | 'PUT'; path: string; body: unknown }>;
beforeAll(async () => {
  f = await createFixture({ rates: { perAddress: wide, inAll: wide, registrationsPerAddress: wide } });
  alice = await f.person();
  bodies = {
    accounts: {
      method: 'POST',
      path: '/v1/accounts',
      body: { ...registration(createPerson(), 1), username: usernameOf('fuzz.01') },
    },
    bundles: { method: 'POST', path: '/v1/bundles', body: { accounts: [alice.account] } },
    'device-list': {
      method: 'PUT',
      path: '/v1/device-list',
      body: { deviceList: registration(createPerson(), 0).deviceList },
    },
    prekeys: { method: 'PUT', path: '/v1/prekeys', body: prekeys(alice.identity, 1, 500) },
    check: { method: 'POST', path: '/v1/prekeys/check', body: { digest: 'A'.repeat(43) } },
    username: { method: 'PUT', path: '/v1/username', body: usernameOf('fuzz.02') },
    lookup: { method: 'POST', path: '/v1/usernames/lookup', body: { hash: 'A'.repeat(43) } },
  };
});

/** Values that have broken servers, and any JSON. */
const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown[]>(
    null,
    true,
    0,
    -1,
    1.5,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    1e308,
    '',
    '\u0000',
    '\ud800',
    'A'.repeat(3_000),
    [],
    {},
    [[]],
    { length: 1 },
    '__proto__',
  ),
);

/** One edit somewhere in a value: replaced, removed, added, repeated, or a letter of a text changed. */
const edit = fc.record({
  steps: fc.array(fc.nat(1_000), { maxLength: 6 }),
  kind: fc.constantFrom('replace', 'remove', 'add', 'repeat', 'letter'),
  value: odd,
  at: fc.nat(100_000),
});
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

function apply(target: unknown, { steps, kind, value, at }: Edit): unknown {
  const [step, ...rest] = steps;
  if (Array.isArray(target)) {
    const list: unknown[] = target;
    if (kind === 'repeat') return Array.from({ length: at % 200 }, () => list[0] ?? value);
    if (step === undefined || list.length === 0) return kind === 'add' ? [...list, value] : value;
    const index = step % list.length;
    return list.map((item, i) => (i === index ? apply(item, { steps: rest, kind, value, at }) : item));
  }
  if (typeof target === 'object' && target !== null) {
    const entries = Object.entries(target);
    if (step === undefined || entries.length === 0) return kind === 'add' ? { ...target, [`k${at}`]: value } : value;
    const index = step % entries.length;
    if (kind === 'remove' && rest.length === 0) return Object.fromEntries(entries.filter((_, i) => i !== index));
    return Object.fromEntries(
      entries.map(([key, item], i) => [key, i === index ? apply(item, { steps: rest, kind, value, at }) : item]),
    );
  }
  if (typeof target === 'string' && kind === 'letter' && target.length > 0) {
    const index = at % target.length;
    return target.slice(0, index) + (target[index] === 'A' ? 'B' : 'A') + target.slice(index + 1);
  }
  return value;
}

const names = ['accounts', 'bundles', 'device-list', 'prekeys', 'check', 'username', 'lookup'];

/** With a good token, so that schema and handler see the body. */
async function answerTo(name: string, body: unknown) {
  const { method, path } = bodies[name]!;
  return path === '/v1/accounts' ? f.open(method, path, body) : f.ask(alice, method, path, body);
}

async function expectDocumented(name: string, body: unknown): Promise<void> {
  const answer = await answerTo(name, body);
  expect(answer.statusCode).toBeLessThan(500);
  if (answer.statusCode >= 400) problemOf(answer);
  expect(answer.body).not.toMatch(/node_modules|\bat .*:\d+:\d+/);
}

describe.each(names)('%s', (name) => {
  test('any JSON is answered with a documented code, never a fault', async () => {
    await fc.assert(
      fc.asyncProperty(odd, (body) => expectDocumented(name, JSON.stringify(body))),
      { numRuns: RUNS },
    );
  });

  test('a good body with edits is answered with a documented code, never a fault', async () => {
    const edits = fc.array(edit, { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(edits, (all) => expectDocumented(name, JSON.stringify(all.reduce(apply, bodies[name]!.body)))),
      { numRuns: RUNS },
    );
  });

  test('any bytes are answered with a documented code, never a fault', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(text, (body) => expectDocumented(name, body)),
      { numRuns: RUNS },
    );
  });
});

test('any authorization is answered with a documented code, never a fault', async () => {
  const part = fc.oneof(
    fc.base64String(),
    fc.json().map((json) => Buffer.from(json).toString('base64url')),
  );
  const authorization = fc.oneof(
    fc.string({ unit: 'grapheme-ascii' }),
    fc.array(part, { maxLength: 4 }).map((parts) => `Bearer ${parts.join('.')}`),
  );
  await fc.assert(
    fc.asyncProperty(authorization, async (value) => {
      expect(problemOf(await f.open('GET', '/v1/prekeys/count', undefined, { authorization: value })).status).toBe(401);
    }),
    { numRuns: RUNS },
  );
});

test('any claims, well signed, are answered with a documented code, never a fault', async () => {
  const changes = fc.dictionary(fc.constantFrom('iss', 'aud', 'iat', 'exp', 'req', 'gen', 'nonce', 'jti'), odd, {
    minKeys: 1,
  });
  await fc.assert(
    fc.asyncProperty(changes, async (change) => {
      const answer = await f.ask(alice, 'GET', '/v1/prekeys/count', undefined, {
        claims: (claims) => ({ ...claims, ...change }),
      });
      expect([200, 401]).toContain(answer.statusCode);
    }),
    { numRuns: RUNS },
  );
});
