import { resolve } from 'node:path';
import type { RateSettings } from '@waxwing/keyserver';
import { limits } from '@waxwing/protocol';
import { isLoopback } from './loopback.ts';
import { fromEnvironment, fromFile, fromFlags, type Given, type Source } from './sources.ts';
import { issuer, keySetLocation, registrationKind, ticketSettings, type TicketSettings } from './ticket-settings.ts';
import {
  folder,
  host,
  logLevel,
  networks,
  origins,
  port,
  portOrOff,
  rate,
  storeLocation,
  wholeNumber,
} from './values.ts';
import type { Read } from './values.ts';

const HOUR_S = 3_600;

/** Every setting of `serve`: how its text is read. `--config` and what is only a flag stand in the command. */
const readers = {
  data: folder,
  store: storeLocation,
  host,
  port,
  adminHost: host,
  adminPort: portOrOff,
  origin: origins,
  drainSeconds: wholeNumber(0, HOUR_S, 'a time in seconds'),
  maxConnections: wholeNumber(1, 1_000_000, 'a number of connections'),
  trustProxy: networks,
  requestsPerAddress: rate,
  requestsInAll: rate,
  registrationsPerAddress: rate,
  registration: registrationKind,
  ticketIssuer: issuer,
  ticketJwks: keySetLocation,
  logLevel,
} as const;

type Key = keyof typeof readers;
type Values = { [K in Key]?: (typeof readers)[K] extends Read<infer T> ? T : never };

const keys = Object.keys(readers);
/** May hold a password: taken from a file too, and never repeated. */
const secrets: readonly string[] = ['store'];

export type ServeSettings = {
  readonly directory: string;
  readonly host: string;
  readonly port: number;
  readonly admin?: { readonly host: string; readonly port: number };
  readonly origins?: readonly string[];
  readonly drainSpreadMs: number;
  readonly maxConnections: number;
  readonly trustProxy?: readonly string[];
  readonly rates: Partial<RateSettings>;
  /** Absent: registration is open. */
  readonly tickets?: TicketSettings;
  readonly logLevel: NonNullable<Values['logLevel']>;
};

/**
 * The settings by flags > environment > file > default, or a line on each thing that is wrong, with the name that it has
 * where it was given. `development` is the folder to keep data in where none is said, and other defaults with it.
 */
export function serveSettings(o: {
  readonly flags: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly config?: string;
  readonly development?: { readonly directory: () => string };
}): ServeSettings | { readonly wrong: readonly string[] } {
  const sources = [
    fromFlags(o.flags),
    fromEnvironment(o.env, [...keys, 'config'], secrets),
    ...(o.config === undefined ? [] : [fromFile(o.config, keys, secrets)]),
  ];
  const wrong = sources.flatMap((source) => [...source.wrong, ...twice(source)]);
  const values: Values = {};
  const givenAs = (key: Key) => sources.map((source) => source.given.get(key)).find((one) => one !== undefined);
  for (const key of keys.filter(isKey)) {
    const given = givenAs(key);
    if (given) read(values, key, given, wrong);
  }
  const tickets = ticketSettings(values, (key) => givenAs(key)?.name);
  if (tickets && 'wrong' in tickets) wrong.push(...tickets.wrong);
  const bound = values.host ?? '127.0.0.1';
  if (o.development && !isLoopback(bound)) wrong.push('--dev: listens on this machine only; --host is for serve alone');
  if (!o.development && !isLoopback(bound) && values.origin === undefined) {
    wrong.push('--origin: say what clients dial, as https://relay.example; on this machine alone it is not needed');
  }
  const directory = directoryOf(sources, values) ?? (wrong.length === 0 ? o.development?.directory() : undefined);
  if (directory === undefined && !o.development) {
    wrong.push('--data: say in which folder to keep what is stored (or try it out: waxwing serve --dev)');
  }
  if (wrong.length > 0 || directory === undefined || (tickets && 'wrong' in tickets)) return { wrong };
  const settings = settingsOf(values, resolve(directory), bound, o.development !== undefined);
  return { ...settings, ...(tickets && { tickets }) };
}

function settingsOf(values: Values, directory: string, bound: string, isDevelopment: boolean): ServeSettings {
  const publicPort = values.port ?? 7_700;
  const adminPort = values.adminPort ?? (publicPort === 0 ? 0 : publicPort + 1);
  const spreadMs = isDevelopment ? 0 : limits.heartbeatMs / 3;
  return {
    directory,
    host: bound,
    port: publicPort,
    ...(adminPort !== 'off' && { admin: { host: values.adminHost ?? '127.0.0.1', port: adminPort } }),
    ...(values.origin && { origins: values.origin }),
    drainSpreadMs: values.drainSeconds === undefined ? spreadMs : values.drainSeconds * 1_000,
    maxConnections: values.maxConnections ?? 10_000,
    ...(values.trustProxy && { trustProxy: values.trustProxy }),
    rates: ratesOf(values),
    logLevel: values.logLevel ?? (isDevelopment ? 'warn' : 'info'),
  };
}

/** What is not said has the keyserver's default. */
function ratesOf({ requestsPerAddress, requestsInAll, registrationsPerAddress }: Values): Partial<RateSettings> {
  return {
    ...(requestsPerAddress && { perAddress: requestsPerAddress }),
    ...(requestsInAll && { inAll: requestsInAll }),
    ...(registrationsPerAddress && { registrationsPerAddress }),
  };
}

/** `data` is short for a store: of the two, the one from the stronger source counts. */
function directoryOf(sources: readonly Source[], values: Values): string | undefined {
  const source = sources.find(({ given }) => given.has('data') || given.has('store'));
  return source?.given.has('data') === true ? values.data : values.store?.directory;
}

function twice({ given }: Source): string[] {
  const [data, store] = [given.get('data'), given.get('store')];
  return data && store ? [`${store.name}: ${data.name} says the same; give one of them`] : [];
}

function isKey(key: string): key is Key {
  return Object.hasOwn(readers, key);
}

function read(values: Values, key: Key, { text, name }: Given, wrong: string[]): void {
  const read = readers[key](text);
  if ('value' in read) Object.assign(values, { [key]: read.value });
  else wrong.push(`${name}: ${secrets.includes(key) ? 'its value' : JSON.stringify(text)} ${read.wrong}`);
}
