import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import {
  claimsFault,
  ProtocolError,
  readClaims,
  tokenIssuer,
  type Authenticate,
  type DeviceAddress,
  type ErrorCode,
  type TokenClaims,
} from '@waxwing/protocol';
import type { DeviceKey, DirectoryStore } from '@waxwing/storage';

export type Authenticated =
  { readonly type: 'device'; readonly device: DeviceKey } | { readonly type: 'refused'; readonly code: ErrorCode };

/** What the token must answer: this connection's challenge, by the server's clock at the moment the token came. */
export type Challenged = { readonly audiences: readonly string[]; readonly nonce: Uint8Array; readonly nowMs: number };

/**
 * Who this is. The claims are checked first, since they say nothing about who exists; then the signature, with the key
 * of the account's newest device list. No such account, no such device and a wrong signature are refused alike, after
 * the same work. Rejects only if the directory fails.
 */
export async function authenticate(
  request: Authenticate,
  challenged: Challenged,
  directory: DirectoryStore,
): Promise<Authenticated> {
  const read = readToken(request.token);
  if (!read) return refused('token_malformed');
  const fault = claimsFault(read.claims, {
    form: 'relay',
    audiences: challenged.audiences,
    nonce: Buffer.from(challenged.nonce).toString('base64url'),
    nowMs: challenged.nowMs,
  });
  if (fault) return refused(fault);
  const stored = await directory.deviceList(request.account);
  const listed = stored?.list.devices.find((device) => device.device === request.device);
  const signed = verifies(request.token, listed ? ed25519(listed.authKey) : nobody);
  const isIssuer = read.issuer.account === request.account && read.issuer.device === request.device;
  if (!listed || !signed || !isIssuer) return refused('token_rejected');
  return { type: 'device', device: { account: request.account, device: request.device, addedIn: listed.addedIn } };
}

function refused(code: ErrorCode): Authenticated {
  return { type: 'refused', code };
}

function readToken(token: string): { claims: TokenClaims; issuer: DeviceAddress } | undefined {
  try {
    const claims = readClaims(token);
    return { claims, issuer: tokenIssuer(claims) };
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** Ed25519 over the JWS signing input (RFC 7515, 5.2; RFC 8037). The signature has one spelling: 64 bytes, base64url. */
function verifies(token: string, key: KeyObject): boolean {
  const dot = token.lastIndexOf('.');
  const text = token.slice(dot + 1);
  const signature = Buffer.from(text, 'base64url');
  const isCanonical = signature.length === 64 && signature.toString('base64url') === text;
  return verify(null, Buffer.from(token.slice(0, dot)), key, isCanonical ? signature : Buffer.alloc(64)) && isCanonical;
}

function ed25519(publicKey: Uint8Array): KeyObject {
  const x = Buffer.from(publicKey).toString('base64url');
  return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
}

/** Verified against where there is no device. Its private half was dropped when it was made; nothing rests on that. */
const nobody = ed25519(Buffer.from('z0w99h2V2AdqWdMz8SUCvtRrjxvxd8Ttu6VVui4htm4', 'base64url'));
