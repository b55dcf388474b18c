import { createPublicKey, verify } from 'node:crypto';
import {
  audience,
  claimsFault,
  ProtocolError,
  readClaims,
  requestHash,
  sha256,
  tokenIssuer,
  type Clock,
  type DeviceAddress,
  type TokenClaims,
} from '@waxwing/protocol';
import type { DeviceKey, DirectoryStore, StoredList } from '@waxwing/storage';
import { parseBase64url, toBase64url } from './base64url.ts';
import { refused, type Refusal } from './refusal.ts';

/** What a token's `req` covers, as received. */
export type SignedRequest = {
  readonly authorization: string | undefined;
  readonly method: string;
  readonly pathAndQuery: string;
  readonly body: Uint8Array;
};

/** A device that has shown its token for this request. */
export type Caller = {
  readonly type: 'caller';
  readonly device: DeviceKey;
  /** The newest list of its account. */
  readonly stored: StoredList;
  /** The claim `req`: the same for the same request. */
  readonly requestHash: string;
  /** The same for all spellings of a token's signature part. */
  readonly tokenHash: string;
};

export type Authenticate = (request: SignedRequest) => Promise<Caller | Refusal>;

const BEARER = /^bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i;
const GENERATION_BYTES = 16;

/** A key that belongs to no device (RFC 8032, 7.1, test 1): verified against when there is no device, so that its absence takes as long. */
const NO_DEVICE_KEY = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex');

/**
 * Takes the token of an HTTP request: its claims, then the signature by the auth key in the account's newest list, then the
 * clone guard. An unknown account, an unknown device and a bad signature are one answer. Stores nothing, and does not
 * refuse a second use: see SpentTokens.
 *
 * `origins` is read at every request: the server's port may be known only once it listens.
 */
export function createAuthenticate(deps: {
  readonly directory: DirectoryStore;
  readonly clock: Clock;
  readonly origins: readonly string[];
}): Authenticate {
  return async ({ authorization, method, pathAndQuery, body }) => {
    if (authorization === undefined) return refused('token_missing');
    const parsed = parseToken(authorization);
    if (!parsed) return refused('token_malformed');
    const { claims, issuer, generations, signedText, signature } = parsed;
    const req = requestHash(method, pathAndQuery, body);
    const audiences = deps.origins.map((origin) => audience('keys', origin));
    const fault = claimsFault(claims, { form: 'http', audiences, req, nowMs: deps.clock.now() });
    if (fault !== undefined) return refused(fault);

    const stored = await deps.directory.deviceList(issuer.account);
    const listed = stored?.list.devices.find(({ device }) => device === issuer.device);
    const signed = isSignedBy(listed?.authKey ?? NO_DEVICE_KEY, signedText, signature);
    if (!stored || !listed || !signed) return refused('token_rejected');

    const device: DeviceKey = { ...issuer, addedIn: listed.addedIn };
    if (!(await deps.directory.holdsGeneration(device, generations))) return refused('cloned');
    return { type: 'caller', device, stored, requestHash: req, tokenHash: toBase64url(sha256(signedText)) };
  };
}

type ParsedToken = {
  readonly claims: TokenClaims;
  readonly issuer: DeviceAddress;
  readonly generations: readonly Uint8Array[];
  /** Header and payload, as signed. */
  readonly signedText: string;
  readonly signature: Uint8Array;
};

function parseToken(authorization: string): ParsedToken | undefined {
  const token = BEARER.exec(authorization)?.[1];
  if (token === undefined) return undefined;
  const dot = token.lastIndexOf('.');
  try {
    const claims = readClaims(token);
    return {
      claims,
      issuer: tokenIssuer(claims),
      generations: 'gen' in claims ? claims.gen.map(parseGeneration) : [],
      signedText: token.slice(0, dot),
      signature: Buffer.from(token.slice(dot + 1), 'base64url'),
    };
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

function parseGeneration(text: string): Uint8Array {
  const bytes = parseBase64url(text, 'generation');
  if (bytes.length !== GENERATION_BYTES) throw new ProtocolError('token_malformed', 'generation');
  return bytes;
}

function isSignedBy(authKey: Uint8Array, text: string, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: toBase64url(authKey) }, format: 'jwk' });
  return verify(null, Buffer.from(text), key, signature);
}
