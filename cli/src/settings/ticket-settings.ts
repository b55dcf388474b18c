import { closeSync, openSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { readKeySet } from '@waxwing/keyserver';
import { limits } from '@waxwing/protocol';
import { isLoopback } from './loopback.ts';
import type { Read } from './values.ts';

/** Where the keys are that sign tickets: a JWKS file, or the URL of one. */
export type KeySetLocation =
  { readonly type: 'file'; readonly path: string } | { readonly type: 'url'; readonly url: string };

/** Whose tickets are taken. */
export type TicketSettings = { readonly issuer: string; readonly jwks: KeySetLocation };

const ISSUER_MAX_CHARS = 256;

export const registrationKind: Read<'open' | 'ticket'> = (text) =>
  text === 'open' || text === 'ticket' ? { value: text } : { wrong: 'is neither open nor ticket' };

export const issuer: Read<string> = (text) =>
  text.length > 0 && text.length <= ISSUER_MAX_CHARS && text.trim() === text
    ? { value: text }
    : { wrong: 'is not what the claim iss of a ticket may be: a text without space around it' };

/** A URL is asked when the first ticket comes; a file is read now, so that a wrong one is told at once. */
export const keySetLocation: Read<KeySetLocation> = (text) => {
  if (/^https?:/i.test(text)) return keySetUrl(text);
  const path = resolve(text);
  let bytes: Uint8Array;
  try {
    bytes = readStart(path);
  } catch {
    return { wrong: 'is neither a file that can be read nor a URL' };
  }
  const read = readKeySet(bytes);
  return 'wrong' in read ? read : { value: { type: 'file', path } };
};

function keySetUrl(text: string): ReturnType<Read<KeySetLocation>> {
  if (!URL.canParse(text)) return { wrong: 'is not a URL' };
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return { wrong: 'has a password in it' };
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    return { wrong: 'has to be https: whoever alters it on its way lets in whom he likes' };
  return { value: { type: 'url', url: url.href } };
}

function readStart(path: string): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(limits.ticketKeySetMaxBytes + 1);
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(file);
  }
}

type Given = {
  readonly registration?: 'open' | 'ticket';
  readonly ticketIssuer?: string;
  readonly ticketJwks?: KeySetLocation;
};

/** What the three settings say together; undefined: registration is open. `nameOf` is what a setting is called where it was given. */
export function ticketSettings(
  given: Given,
  nameOf: (key: 'ticketIssuer' | 'ticketJwks') => string | undefined,
): TicketSettings | undefined | { readonly wrong: readonly string[] } {
  const keys = ['ticketIssuer', 'ticketJwks'] as const;
  if (given.registration !== 'ticket') {
    const idle = keys.map(nameOf).filter((name) => name !== undefined);
    return idle.length === 0
      ? undefined
      : { wrong: idle.map((name) => `${name}: counts with --registration ticket only`) };
  }
  const { ticketIssuer, ticketJwks } = given;
  if (ticketIssuer !== undefined && ticketJwks !== undefined) return { issuer: ticketIssuer, jwks: ticketJwks };
  const missing = {
    ticketIssuer: '--ticket-issuer: say whose tickets let in: their claim iss',
    ticketJwks: '--ticket-jwks: say where the keys are that sign tickets: a JWKS file, or its https URL',
  };
  return { wrong: keys.filter((key) => nameOf(key) === undefined).map((key) => missing[key]) };
}
