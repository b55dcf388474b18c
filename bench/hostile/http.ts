import { readFileSync } from 'node:fs';
import { isErrorCode, limits } from '@waxwing/protocol';
import { createPerson, prekeys, registration, usernameOf, type Person } from '../../test/unit/keyserver/person.ts';
import { createDice, type Dice } from './dice.ts';
import { DirectoryWatch } from './directory-watch.ts';
import { HttpCaller, type Answer, type Ask, type Method } from './http-caller.ts';
import { Tally, type RowOptions, type RowReport } from './row.ts';
import { besiege, type Besieged } from './siege.ts';
import { spoilBytes } from './spoil-bytes.ts';

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

/** Status and code of a refusal; throws for what is no answer of the table. */
export function answerOf({ status, headers, body }: Answer): string {
  if (/node_modules|\bat .*:\d+:\d+/.test(body)) throw new Error(`a stack: ${body}`);
  if (status < 400) return String(status);
  if (status >= 500) throw new Error(`${status} ${body}`);
  if (!String(headers['content-type']).startsWith('application/problem+json')) throw new Error(`no problem: ${body}`);
  const problem = JSON.parse(body) as { status: number; code: string };
  if (problem.status !== status || !isErrorCode(problem.code)) throw new Error(`${status} ${body}`);
  return `${status} ${problem.code}`;
}

/** A body over the limit is answered before it has come whole, and its connection ended: the answer may not be read. */
const isCutShort = (error: unknown, { body = '' }: Ask): boolean =>
  body.length > limits.httpBodyMaxBytes && /EPIPE|ECONNRESET|socket hang up/.test(String(error));

/** After so many cases the attacker is somebody else: one account's allowances are soon spent. */
const PER_PERSON = 500;

/**
 * H4: every route of the OpenAPI document, every field of its body, with a good token, to a server process. What is refused
 * changes nothing.
 */
export async function attackHttp(options: RowOptions): Promise<RowReport> {
  const { cases, seed } = options;
  const tally = new Tally('H4');
  const dice = createDice(seed);
  const routes = routesOf();

  const attack = async ({ url, data }: Besieged): Promise<void> => {
    const caller = new HttpCaller(url);
    let person = await caller.register();
    let bodies = goodBodies(person);
    const directory = new DirectoryWatch(data);
    for (let count = 0; count < cases; count += 1) {
      if (count % PER_PERSON === PER_PERSON - 1) {
        person = await caller.register();
        bodies = goodBodies(person);
        directory.changed();
      }
      const route = routes[count % routes.length];
      if (!route) throw new Error('no route');
      const ask = aim(route, bodies[`${route.method} ${route.path}`], Math.floor(count / routes.length), dice);
      const told = (): string => `case ${count} of seed ${seed}: ${JSON.stringify(ask).slice(0, 600)}`;
      try {
        const said = answerOf(await caller.ask(person, ask));
        tally.answered(said);
        if (directory.changed() && said >= '400') tally.found(`${said}, and changed: ${told()}`);
      } catch (error) {
        if (isCutShort(error, ask)) tally.answered('413, cut short');
        else {
          tally.answered('fault');
          tally.found(`${String(error)}: ${told()}`);
        }
      }
    }
    directory.close();
    caller.close();
  };

  const siege = await besiege(tally, options, { attack, registers: true });
  return tally.report({ siege });
}
