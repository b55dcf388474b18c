import { isIP } from 'node:net';
import type { Rate } from '@waxwing/keyserver';

/** What a setting's text means, or why it means nothing. */
export type Read<T> = (text: string) => { readonly value: T } | { readonly wrong: string };

/** The origin of an http or https URL that has nothing but an origin; undefined for anything else. */
export function serverOrigin(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const isHttp = url.protocol === 'http:' || url.protocol === 'https:';
  const isBare = url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
  return isHttp && isBare ? url.origin : undefined;
}

export function wholeNumber(from: number, to: number, what: string): Read<number> {
  return (text) => {
    const value = Number(text);
    return /^\d+$/.test(text) && value >= from && value <= to
      ? { value }
      : { wrong: `is not ${what}: a whole number from ${from} to ${to}` };
  };
}

const unitsMs: Readonly<Record<string, number>> = { s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** How many at once, and how many more in a unit of time: `500+50/s`. At least one each. */
export const rate: Read<Rate> = (text) => {
  const [, burst, more, unit = ''] = /^([1-9]\d{0,6})\+([1-9]\d{0,6})\/([a-z]+)$/.exec(text) ?? [];
  const unitMs = unitsMs[unit];
  return unitMs === undefined
    ? { wrong: 'is not a rate such as 500+50/s: so many at once, and so many more in one s, min, h or d' }
    : { value: { burst: Number(burst), refillMs: unitMs / Number(more) } };
};

export const port = wholeNumber(0, 65_535, 'a port');

/** A port, or `off`. */
export const portOrOff: Read<number | 'off'> = (text) => (text === 'off' ? { value: 'off' } : port(text));

export const folder: Read<string> = (text) => (text === '' ? { wrong: 'is empty' } : { value: text });

export const host: Read<string> = (text) =>
  isIP(text) > 0 || /^[a-z0-9.-]+$/i.test(text) ? { value: text } : { wrong: 'is no host name or address' };

/** One or more, with commas between them. */
export const origins: Read<readonly string[]> = (text) => {
  const all = text.split(',').map((part) => serverOrigin(part.trim()));
  const known = all.filter((origin) => origin !== undefined);
  return known.length === all.length
    ? { value: known }
    : { wrong: 'is not an origin such as https://relay.example (several: with commas between them)' };
};

/** One or more networks, with commas between them. */
export const networks: Read<readonly string[]> = (text) => {
  const all = text.split(',').map((part) => part.trim());
  return all.every(isNetwork) ? { value: all } : { wrong: 'is not a network such as 10.0.0.0/8' };
};

function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  if (rest.length > 0 || most < 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most);
}

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export const logLevel: Read<(typeof levels)[number]> = (text) => {
  const value = levels.find((level) => level === text);
  return value ? { value } : { wrong: `is none of ${levels.join(', ')}` };
};

/** Where a server keeps what it keeps. The text may hold a password: it is not repeated. */
export const storeLocation: Read<{ readonly type: 'sqlite'; readonly directory: string }> = (text) => {
  const [, directory] = /^sqlite:(.+)$/.exec(text) ?? [];
  if (directory !== undefined) return { value: { type: 'sqlite', directory } };
  if (/^(rediss?|redis-cluster):/.test(text)) return { wrong: 'names Redis, which this version has no store for yet' };
  return { wrong: 'is not sqlite:DIR' };
};
