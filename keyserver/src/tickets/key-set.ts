import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { limits } from '@waxwing/protocol';

/** A key that tickets may be signed with. It fixes the algorithm: what a ticket says of its own is not believed. */
export type TicketKey = { readonly key: KeyObject; readonly algorithms: readonly string[] };

/** Keys by their `kid`. */
export type KeySet = ReadonlyMap<string, TicketKey>;

/** Where a key set comes from: its bytes now. Rejects where there are none. */
export type LoadKeySet = () => Promise<Uint8Array>;

/**
 * Reads a JWKS (RFC 7517): its public Ed25519 and P-256 keys that have a `kid` and are for signatures. Others are left
 * out. `wrong` says, in words that follow its name, why a set is not to be used at all.
 */
export function readKeySet(bytes: Uint8Array): { readonly keys: KeySet } | { readonly wrong: string } {
  if (bytes.length > limits.ticketKeySetMaxBytes) return { wrong: 'is too large for a JWKS' };
  const listed = listedKeys(bytes);
  if (listed === undefined) return { wrong: 'is not a JWKS: a JSON object with the list "keys"' };
  if (listed.length > limits.ticketKeysMax) return { wrong: `has more than ${limits.ticketKeysMax} keys` };
  if (listed.some((jwk) => jwk.d !== undefined || jwk.k !== undefined)) return { wrong: 'holds a secret key' };
  const keys = new Map<string, TicketKey>();
  for (const jwk of listed) {
    const key = ticketKey(jwk);
    if (key === undefined || typeof jwk.kid !== 'string') continue;
    if (keys.has(jwk.kid)) return { wrong: 'has two keys with one kid' };
    keys.set(jwk.kid, key);
  }
  return keys.size === 0 ? { wrong: 'has no public Ed25519 or P-256 key with a kid' } : { keys };
}

type Jwk = Readonly<Record<string, unknown>>;

function listedKeys(bytes: Uint8Array): readonly Jwk[] | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    if (typeof value !== 'object' || value === null || !('keys' in value) || !Array.isArray(value.keys))
      return undefined;
    const keys: readonly unknown[] = value.keys;
    return keys.map((jwk) => (typeof jwk === 'object' && jwk !== null ? { ...jwk } : {}));
  } catch {
    return undefined;
  }
}

function ticketKey(jwk: Jwk): TicketKey | undefined {
  const { kty, crv, x, y, alg, use, key_ops: operations } = jwk;
  if (use !== undefined && use !== 'sig') return undefined;
  if (Array.isArray(operations) && !operations.includes('verify')) return undefined;
  if (typeof x !== 'string') return undefined;
  if (kty === 'OKP' && crv === 'Ed25519') return keyOf({ kty, crv, x }, ['EdDSA', 'Ed25519'], alg);
  if (kty === 'EC' && crv === 'P-256' && typeof y === 'string') return keyOf({ kty, crv, x, y }, ['ES256'], alg);
  return undefined;
}

function keyOf(key: JsonWebKey, algorithms: readonly string[], alg: unknown): TicketKey | undefined {
  if (alg !== undefined && !algorithms.some((known) => known === alg)) return undefined;
  try {
    return { key: createPublicKey({ key, format: 'jwk' }), algorithms };
  } catch {
    return undefined;
  }
}
