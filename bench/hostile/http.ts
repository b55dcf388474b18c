import { readFileSync } from 'node:fs';
import { isErrorCode, limits } from '@waxwing/protocol';
import type { LightMyRequestResponse } from 'fastify';
import { createFixture, problemOf, type Fixture } from '../../test/unit/keyserver/keyserver-fixture.ts';
import { createPerson, prekeys, registration, usernameOf, type Person } from '../../test/unit/keyserver/person.ts';
import { createDice, type Dice } from './dice.ts';
import { Tally, type RowOptions, type RowReport } from './row.ts';
import { spoilBytes } from './spoil-bytes.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
type Schema = {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
};
type Operation = { readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> } };
type Route = { readonly method: Method; readonly path: string; readonly fields: readonly (readonly string[])[] };

const document = new URL('../../keyserver/openapi.json', import.meta.url);
const methods: readonly Method[] = ['GET', 'POST', 'PUT', 'DELETE'];

/** Every field of a body by its path; `0` is the first item of a list. */
function fieldsOf(schema: Schema, at: readonly string[] = []): (readonly string[])[] {
  const inner = schema.items ? { 0: schema.items } : (schema.properties ?? {});
  return [at, ...Object.entries(inner).flatMap(([name, field]) => fieldsOf(field, [...at, name]))];
}

function routesOf(): Route[] {
  const { paths } = JSON.parse(readFileSync(document, 'utf8')) as { paths: Record<string, Record<string, Operation>> };
  return Object.entries(paths).flatMap(([path, operations]) =>
    methods.flatMap((method) => {
      const operation = operations[method.toLowerCase()];
      if (!operation) return [];
      const schema = operation.requestBody?.content['application/json']?.schema;
      return [{ method, path, fields: schema ? fieldsOf(schema) : [] }];
    }),
  );
}

/** JSON texts in the place of a field: each of another type, or too much of one. */
const odd: readonly string[] = [
  ...['null', 'true', '0', '-1', '1.5', '1e308', '1e999', '2147483648', '4294967296', '9007199254740993'],
  ...['""', '"\\u0000"', '"\\ud800"', '"__proto__"', '"../../etc/passwd"', '"%00"', '"A A"', '"é"'],
  ...['[]', '[[]]', '[null]', '{}', '{"length":1}', '{"__proto__":{"admin":true}}', '{"constructor":{"prototype":{}}}'],
  ...['{"toString":1}', '{"a":1,"a":2}', 'NaN', 'undefined', '// x', `"${'A'.repeat(3_000)}"`],
  `[${'0,'.repeat(500)}0]`,
  `${'['.repeat(2_000)}${']'.repeat(2_000)}`,
  '['.repeat(30_000),
  '{"a":'.repeat(10_000),
  `{${Array.from({ length: 4_000 }, (_, index) => `"k${index}":0`).join()}}`,
];
const types: readonly string[] = [
  'application/json',
  'application/json; charset=utf-16',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/json-patch+json',
  '',
  ';;;',
];
const tails: readonly string[] = [
  '/',
  '//',
  '/..',
  '/%2e%2e',
  '?x=1',
  '?__proto__=1',
  '%00',
  '/../../openapi.json',
  ';a=b',
  '?',
];

/** The text of a value in which the field at this path is `text`, as it stands. */
function withField(value: unknown, path: readonly string[], text: string): string {
  const [name, ...rest] = path;
  if (name === undefined) return text;
  if (Array.isArray(value)) {
    return `[${value.map((item, index) => (index === 0 ? withField(item, rest, text) : JSON.stringify(item))).join()}]`;
  }
  const members = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  const known = members.some(([key]) => key === name) ? members : [...members, [name, undefined] as const];
  const texts = known.map(([key, item]) => {
    return `${JSON.stringify(key)}:${key === name ? withField(item, rest, text) : JSON.stringify(item)}`;
  });
  return `{${texts.join()}}`;
}

function goodBodies(person: Person): Readonly<Record<string, unknown>> {
  const other = createPerson();
  return {
    'POST /v1/accounts': { ...registration(other, 1), username: usernameOf('hostile.01') },
    'POST /v1/bundles': { accounts: [person.account] },
    'PUT /v1/device-list': { deviceList: registration(other, 0).deviceList },
    'PUT /v1/prekeys': prekeys(person.identity, 1, 500),
    'POST /v1/prekeys/check': { digest: 'A'.repeat(43) },
    'PUT /v1/username': usernameOf('hostile.02'),
    'POST /v1/usernames/lookup': { hash: 'A'.repeat(43) },
  };
}

type Ask = { readonly method: Method; readonly path: string; readonly body?: string; readonly type?: string };

/** One request that is wrong in one way; the field and the value go round, the way is by chance. */
function aim(route: Route, body: unknown, count: number, dice: Dice): Ask {
  const { method, fields } = route;
  const path = route.path.replace(
    '{id}',
    dice.pick(['00112233-4455-4077-8899-aabbccddeeff', '..', '%2e%2e', '%ff', 'x'.repeat(300)]),
  );
  const text = JSON.stringify(body ?? {});
  if (fields.length === 0) {
    const withBody = dice.oneIn(2) ? {} : { body: dice.pick(odd) };
    return {
      method: dice.oneIn(4) ? dice.pick(methods) : method,
      path: `${path}${dice.pick(['', ...tails])}`,
      ...withBody,
    };
  }
  const field = fields[count % fields.length] ?? [];
  switch (dice.int(8)) {
    case 0:
      return { method, path, body: text, type: dice.pick(types) };
    case 1:
      return { method, path: `${path}${dice.pick(tails)}`, body: text };
    case 2:
      return { method, path, body: spoilBytes(Buffer.from(text), Buffer.from(text), dice).toString() };
    case 3:
      return { method, path, body: `${text.slice(0, -1)},${text.slice(1)}` };
    case 4:
      return { method, path, body: text.slice(0, -1) + ' '.repeat(limits.httpKeysBodyMaxBytes) + text.slice(-1) };
    default:
      return { method, path, body: withField(body, field, odd[Math.floor(count / fields.length) % odd.length] ?? '') };
  }
}

function answerOf(answer: LightMyRequestResponse): string {
  const { statusCode, body } = answer;
  if (/node_modules|\bat .*:\d+:\d+/.test(body)) throw new Error(`a stack: ${body}`);
  if (statusCode < 400) return String(statusCode);
  if (statusCode >= 500) throw new Error(`${statusCode} ${body}`);
  const { code } = problemOf(answer);
  if (!isErrorCode(code)) throw new Error(`${statusCode} ${code}`);
  return `${statusCode} ${code}`;
}

/** H4: every route of the OpenAPI document, every field of its body, with a good token. What is refused changes nothing. */
export async function attackHttp({ cases, seed }: RowOptions): Promise<RowReport> {
  const tally = new Tally('H4');
  const dice = createDice(seed);
  const routes = routesOf();
  const wide = { burst: 1e9, refillMs: 0.001 };
  const rates = { perAddress: wide, inAll: wide, registrationsPerAddress: wide };
  const fixture: Fixture = await createFixture({ rates }, 'silent');
  const person = await fixture.person();
  const bodies = goodBodies(person);
  let before = fixture.stored();
  for (let count = 0; count < cases; count += 1) {
    const route = routes[count % routes.length];
    if (!route) throw new Error('no route');
    const body = bodies[`${route.method} ${route.path}`];
    const ask = aim(route, body, Math.floor(count / routes.length), dice);
    const headers = { ...(ask.type !== undefined && { 'content-type': ask.type }) };
    try {
      const answer = await fixture.ask(person, ask.method, ask.path, ask.body, { headers });
      const said = answerOf(answer);
      tally.answered(said);
      const after = fixture.stored();
      if (answer.statusCode >= 400 && after !== before)
        tally.found(`${said}, and changed: ${JSON.stringify(ask).slice(0, 600)}`);
      before = after;
    } catch (error) {
      tally.answered('fault');
      tally.found(`case ${count} of seed ${seed}: ${String(error)}: ${JSON.stringify(ask).slice(0, 600)}`);
    }
  }
  await fixture.app.close();
  return tally.report();
}
