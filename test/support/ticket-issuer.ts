import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { exportJWK, SignJWT, type JWTPayload } from 'jose';

type Kind = 'ed25519' | 'p256';

/** A key of an app's backend, with the id and the public half that its JWKS has. */
export type IssuerKey = {
  readonly kid: string;
  readonly alg: 'EdDSA' | 'ES256';
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
};

export function issuerKey(kid: string, kind: Kind = 'ed25519'): IssuerKey {
  const pair =
    kind === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return { kid, alg: kind === 'ed25519' ? 'EdDSA' : 'ES256', ...pair };
}

/** The bytes of a JWKS with these keys, and members that are given as they are. */
export async function keySetOf(keys: readonly IssuerKey[], ...others: readonly object[]): Promise<Uint8Array> {
  const listed = await Promise.all(
    keys.map(async ({ kid, alg, publicKey }) => ({ ...(await exportJWK(publicKey)), kid, alg, use: 'sig' })),
  );
  return Buffer.from(JSON.stringify({ keys: [...listed, ...others] }));
}

export const ISSUER = 'https://app.example';

let tickets = 0;

/** The claims of a ticket that a server at `origin` takes at this time. */
export function ticketClaims(origin: string, nowMs: number): JWTPayload {
  const iat = Math.floor(nowMs / 1_000);
  return { iss: ISSUER, aud: origin, iat, exp: iat + 120, jti: `ticket-${++tickets}`, sub: 'user 17' };
}

export function signTicket(key: IssuerKey, claims: JWTPayload, header: object = {}): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.privateKey);
}

/** A JWT put together by hand: any header, and any signature over it. */
export function forgeTicket(header: object, claims: JWTPayload, sign: (input: string) => Uint8Array): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${Buffer.from(sign(input)).toString('base64url')}`;
}

/** HS256 by this secret: what a library takes that believes the algorithm of a token. */
export function hmac(secret: string | Uint8Array): (input: string) => Uint8Array {
  return (input) => createHmac('sha256', secret).update(input).digest();
}
