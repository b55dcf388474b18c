import { limits, sha256, type Clock } from '@waxwing/protocol';
import type { Ticket } from '@waxwing/storage';
import { decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';
import { refused, type Refusal } from '../refusal.ts';
import type { TicketKeys } from './ticket-keys.ts';

export type CheckTicket = (
  text: string | undefined,
) => Promise<{ readonly type: 'ticket'; readonly ticket: Ticket } | Refusal>;

const CLAIMS = ['iss', 'aud', 'iat', 'exp', 'jti'];
const ALGORITHMS = new Set(['EdDSA', 'Ed25519', 'ES256']);
const KID_MAX_CHARS = 128;

/**
 * Takes a ticket: a JWT of the app's own backend that lets one account in. Its key is found by `kid` and fixes the
 * algorithm; then `iss` is the issuer, `aud` one of the origins, `exp` at most `ticketLifetimeMs` after `iat`, and `jti`
 * its id. Nothing else in it is looked at. What is wrong with a ticket is told only to who has one that is signed.
 * Whether it was used before is for the store to say.
 *
 * `origins` is read at every ticket: the server's port may be known only once it listens.
 */
export function createCheckTicket(o: {
  readonly issuer: string;
  readonly origins: readonly string[];
  readonly keys: TicketKeys;
  readonly clock: Clock;
}): CheckTicket {
  return async (text) => {
    if (text === undefined) return refused('ticket_missing');
    const kid = kidOf(text);
    if (kid === undefined) return refused('ticket_rejected');
    const found = await o.keys.find(kid);
    if (found.type === 'away') return refused('unavailable', { retryAfterMs: found.retryAfterMs });
    if (found.type === 'unknown') return refused('ticket_rejected');
    const nowMs = o.clock.now();
    let claims: JWTPayload;
    try {
      const { payload } = await jwtVerify(text, found.key.key, {
        algorithms: [...found.key.algorithms],
        issuer: o.issuer,
        audience: [...o.origins],
        currentDate: new Date(nowMs),
        clockTolerance: limits.ticketToleranceMs / 1_000,
        requiredClaims: CLAIMS,
      });
      claims = payload;
    } catch (error) {
      if (error instanceof errors.JOSEError) return refusalOf(error);
      throw error;
    }
    return read(claims, o.issuer, nowMs);
  };
}

/** The key that a ticket names, or undefined for what cannot be a ticket. Nothing is verified yet. */
function kidOf(text: string): string | undefined {
  if (text.length > limits.ticketMaxBytes) return undefined;
  try {
    const { alg, kid } = decodeProtectedHeader(text);
    const isNamed = kid !== undefined && kid.length > 0 && kid.length <= KID_MAX_CHARS;
    return isNamed && alg !== undefined && ALGORITHMS.has(alg) ? kid : undefined;
  } catch {
    return undefined;
  }
}

/** Claims are looked at after the signature: a refusal for one tells its name, any other nothing. */
function refusalOf(error: errors.JOSEError): Refusal {
  if (error instanceof errors.JWTExpired) return refused('ticket_expired');
  if (!(error instanceof errors.JWTClaimValidationFailed)) return refused('ticket_rejected');
  if (error.claim === 'nbf' && error.reason === 'check_failed') return refused('ticket_expired');
  return refused('ticket_rejected', { detail: CLAIMS.includes(error.claim) ? error.claim : 'claims' });
}

function read(
  { iat, exp, jti }: JWTPayload,
  issuer: string,
  nowMs: number,
): { type: 'ticket'; ticket: Ticket } | Refusal {
  if (typeof iat !== 'number' || typeof exp !== 'number') return refused('ticket_rejected', { detail: 'iat' });
  if (typeof jti !== 'string' || jti === '' || Buffer.byteLength(jti) > limits.ticketIdMaxBytes) {
    return refused('ticket_rejected', { detail: 'jti' });
  }
  const livesTooLong = (exp - iat) * 1_000 > limits.ticketLifetimeMs;
  const isAhead = iat * 1_000 > nowMs + limits.ticketToleranceMs;
  if (livesTooLong || isAhead) return refused('ticket_expired');
  // The hour more is for a clock that is set back: a ticket that is young again has still been used.
  const keepUntilMs = Math.ceil(exp * 1_000) + limits.ticketToleranceMs + limits.ticketKeptMs;
  return { type: 'ticket', ticket: { hash: sha256(JSON.stringify([issuer, jti])), keepUntilMs } };
}
