import { ProtocolError, type ErrorCode } from './errors.ts';
import { sha256 } from './hash.ts';
import { isAccountId, parseDeviceId, type DeviceAddress } from './ids.ts';
import { limits } from './limits.ts';

type CommonClaims = {
  /** The device: `<account>.<device id>`. */
  readonly iss: string;
  /** `relay:` or `keys:` and the origin that the client dialled. */
  readonly aud: string;
  /** Seconds since 1970, by the server's clock. */
  readonly iat: number;
  readonly exp: number;
};

/** A token for one connection: `nonce` is the challenge's, base64url. */
export type RelayClaims = CommonClaims & { readonly nonce: string };

/** A token for one HTTP request. `gen` is the device's list of generations, base64url, oldest first. */
export type HttpClaims = CommonClaims & { readonly req: string; readonly gen: readonly string[] };

export type TokenClaims = RelayClaims | HttpClaims;

/** The audience under which a server of this role and origin takes tokens. */
export function audience(role: 'relay' | 'keys', origin: string): string {
  return `${role}:${new URL(origin.replace(/^ws/, 'http')).origin}`;
}

/** The claim `req`: method, path with query, and body hash, each on its own line, hashed; base64url. */
export function requestHash(method: string, pathAndQuery: string, body: Uint8Array): string {
  const bodyHash = Buffer.from(sha256(body)).toString('base64url');
  return Buffer.from(sha256(`${method.toUpperCase()}\n${pathAndQuery}\n${bodyHash}`)).toString('base64url');
}

const HEADER = encodeJson({ alg: 'EdDSA', typ: 'JWT' });

/** Claims that last as long as a token may, starting now by the server's clock. */
export function tokenTimes(serverNowMs: number): { iat: number; exp: number } {
  const iat = Math.floor(serverNowMs / 1_000);
  return { iat, exp: iat + limits.tokenLifetimeMs / 1_000 };
}

/** A compact JWS over the claims. `sign` is Ed25519 by the device's auth key. */
export function signToken(claims: TokenClaims, sign: (message: Uint8Array) => Uint8Array): string {
  const input = `${HEADER}.${encodeJson(claims)}`;
  return `${input}.${Buffer.from(sign(Buffer.from(input))).toString('base64url')}`;
}

const ISSUER = /^([^.]+)\.([1-9][0-9]{0,2})$/;

/** The device that a token says it is by: refuses any other way to write it with `token_malformed`. Verify the signature with its key before believing a claim. */
export function tokenIssuer(claims: TokenClaims): DeviceAddress {
  const [, account = '', device] = ISSUER.exec(claims.iss) ?? [];
  if (!isAccountId(account) || Number(device) > 127) throw new ProtocolError('token_malformed', 'issuer');
  return { account, device: parseDeviceId(Number(device)) };
}

/** Reads the claims without verifying anything. Refuses with `token_malformed`. */
export function readClaims(token: string): TokenClaims {
  const refuse = (): never => {
    throw new ProtocolError('token_malformed', 'token');
  };
  if (token.length > limits.tokenMaxBytes) return refuse();
  const parts = token.split('.');
  const [header, payload] = parts;
  if (parts.length !== 3 || header === undefined || payload === undefined) return refuse();
  const head = decodeJson(header);
  if (head?.alg !== 'EdDSA' || head.crit !== undefined) return refuse();
  const claims = decodeJson(payload);
  if (!claims || !isCommon(claims)) return refuse();
  if (typeof claims.nonce === 'string' && claims.req === undefined) return { ...pick(claims), nonce: claims.nonce };
  const gen = claims.gen;
  if (typeof claims.req === 'string' && claims.nonce === undefined && isTextList(gen)) {
    return { ...pick(claims), req: claims.req, gen };
  }
  return refuse();
}

export type Expected =
  | { readonly form: 'relay'; readonly audiences: readonly string[]; readonly nonce: string; readonly nowMs: number }
  | { readonly form: 'http'; readonly audiences: readonly string[]; readonly req: string; readonly nowMs: number };

/** The code of the first claim that is not as expected, or undefined. The signature is checked apart. */
export function claimsFault(claims: TokenClaims, expected: Expected): ErrorCode | undefined {
  if ('nonce' in claims !== (expected.form === 'relay')) return 'token_form';
  if (!expected.audiences.includes(claims.aud)) return 'token_audience';
  const nowS = expected.nowMs / 1_000;
  const livesTooLong = claims.exp - claims.iat > limits.tokenLifetimeMs / 1_000;
  if (livesTooLong || claims.exp <= nowS || claims.iat > nowS + limits.tokenFutureMs / 1_000) return 'token_expired';
  if (expected.form === 'relay')
    return 'nonce' in claims && claims.nonce === expected.nonce ? undefined : 'token_replayed';
  return 'req' in claims && claims.req === expected.req ? undefined : 'token_replayed';
}

type Json = Readonly<Record<string, unknown>>;

function encodeJson(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decodeJson(part: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function isCommon(claims: Json): claims is Json & CommonClaims {
  const { iss, aud, iat, exp } = claims;
  return typeof iss === 'string' && typeof aud === 'string' && Number.isSafeInteger(iat) && Number.isSafeInteger(exp);
}

function isTextList(value: unknown): value is string[] {
  return (
    Array.isArray(value) && value.length <= limits.generationsKept && value.every((item) => typeof item === 'string')
  );
}

function pick({ iss, aud, iat, exp }: CommonClaims): CommonClaims {
  return { iss, aud, iat, exp };
}
