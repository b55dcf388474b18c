import { readFileSync } from 'node:fs';

/** Where settings come from, the strongest first. */
type SourceKind = 'flag' | 'environment' | 'file';

/** A setting's text, and what it is called where it was given. */
export type Given = { readonly text: string; readonly name: string };

/** Settings by their key, as one source gives them. `wrong` are lines on what it has that is no setting. */
export type Source = {
  readonly kind: SourceKind;
  readonly given: ReadonlyMap<string, Given>;
  readonly wrong: readonly string[];
};

const PREFIX = 'WAXWING_';

/** Keys in the form of each source: `adminPort` is `--admin-port`, `WAXWING_ADMIN_PORT` and, in the file, `adminPort`. */
function flagName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function environmentName(key: string): string {
  return PREFIX + key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/** What a command line gave, under the names that commander has for flags. */
export function fromFlags(flags: Readonly<Record<string, string>>): Source {
  const given = Object.entries(flags).map(([key, text]) => [key, { text, name: flagName(key) }] as const);
  return { kind: 'flag', given: new Map(given), wrong: [] };
}

/**
 * Every variable that begins with `WAXWING_` is one of these keys, or wrong. A secret is also taken from the file that
 * `…_FILE` names.
 */
export function fromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  keys: readonly string[],
  secrets: readonly string[],
): Source {
  const given = new Map<string, Given>();
  const wrong: string[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || text === undefined) continue;
    const key = keys.find((known) => environmentName(known) === name);
    const secret = secrets.find((known) => `${environmentName(known)}_FILE` === name);
    if (key !== undefined) put(given, wrong, key, { text, name });
    else if (secret !== undefined) putFile(given, wrong, secret, { text, name });
    else wrong.push(`${name}: there is no such setting${nearest(name, keys.map(environmentName))}`);
  }
  return { kind: 'environment', given, wrong };
}

/** A JSON object of these keys, each a text, a number or a list of texts. A secret may stand in another file: `storeFile`. */
export function fromFile(path: string, keys: readonly string[], secrets: readonly string[]): Source {
  const given = new Map<string, Given>();
  const wrong: string[] = [];
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const why = error instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    return { kind: 'file', given, wrong: [`--config: ${path} ${why}`] };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { kind: 'file', given, wrong: [`--config: ${path} is not a JSON object`] };
  }
  for (const [name, content] of Object.entries(value)) {
    const text = asText(content);
    const secret = secrets.find((known) => `${known}File` === name);
    if (!keys.includes(name) && secret === undefined) {
      wrong.push(`${path}: ${name}: there is no such setting${nearest(name, keys)}`);
    } else if (text === undefined) wrong.push(`${path}: ${name}: is neither a text, a number nor a list of texts`);
    else if (secret === undefined) put(given, wrong, name, { text, name: `${path}: ${name}` });
    else putFile(given, wrong, secret, { text, name: `${path}: ${name}` });
  }
  return { kind: 'file', given, wrong };
}

function put(given: Map<string, Given>, wrong: string[], key: string, one: Given): void {
  const other = given.get(key);
  if (other) wrong.push(`${one.name}: ${other.name} says the same; give one of them`);
  else given.set(key, one);
}

function putFile(given: Map<string, Given>, wrong: string[], key: string, { text: path, name }: Given): void {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch {
    wrong.push(`${name}: ${path} cannot be read`);
    return;
  }
  put(given, wrong, key, { text, name });
}

function asText(value: unknown): string | undefined {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  const isList = Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string');
  return isList ? value.join(',') : undefined;
}

/** A known name that differs little: one letter more, less, or other. */
function nearest(name: string, known: readonly string[]): string {
  const close = known.find((other) => isNear(name, other));
  return close === undefined ? '' : `; is ${close} meant?`;
}

function isNear(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start += 1;
  let end = 0;
  const most = Math.min(a.length, b.length) - start;
  while (end < most && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  return Math.max(a.length, b.length) - start - end <= 2;
}
