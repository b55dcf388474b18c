import type { CloseName } from './close-codes.ts';

/**
 * What the one who gets an error should do.
 * `retry`: the same again, after the given time. `change`: the request must differ (another attempt, the next n).
 * `reauthenticate`: a fresh token. `never`: the request cannot succeed.
 */
export type RetryClass = 'retry' | 'change' | 'reauthenticate' | 'never';

type ErrorRow = {
  readonly retry: RetryClass;
  /** HTTP status where the keyserver answers with it. */
  readonly status?: number;
  /** The relay closes the connection with it. */
  readonly close?: CloseName;
  readonly meaning: string;
};

/** Every code that a Waxwing server answers with: on the wire in `Rejected` and close reasons, over HTTP in problem documents. */
export const errors = {
  malformed: {
    retry: 'never',
    status: 400,
    close: 'malformed',
    meaning: 'The bytes are not what the schema says: short, trailing, out of range, or an unknown kind.',
  },
  too_large: {
    retry: 'never',
    status: 413,
    close: 'too_large',
    meaning: 'A message, ciphertext or list is over its limit.',
  },
  unexpected: {
    retry: 'never',
    close: 'unexpected',
    meaning: 'A message that is not allowed in this state of the connection.',
  },
  unsupported_version: {
    retry: 'never',
    close: 'unsupported_version',
    meaning: 'The device and the server share no protocol version.',
  },

  token_missing: {
    retry: 'reauthenticate',
    status: 401,
    close: 'needs_auth',
    meaning: 'No token came, or not in time.',
  },
  token_malformed: {
    retry: 'reauthenticate',
    status: 401,
    close: 'needs_auth',
    meaning: 'The token is not a compact EdDSA JWS with the claims of its form.',
  },
  token_form: {
    retry: 'reauthenticate',
    status: 401,
    close: 'needs_auth',
    meaning: 'A relay token was given over HTTP, or an HTTP token to the relay.',
  },
  token_expired: {
    retry: 'reauthenticate',
    status: 401,
    close: 'needs_auth',
    meaning: 'The token is past its time, lives too long, or is from the future.',
  },
  token_audience: {
    retry: 'reauthenticate',
    status: 401,
    close: 'needs_auth',
    meaning: 'The token is for another server.',
  },
  token_replayed: {
    retry: 'reauthenticate',
    status: 401,
    close: 'needs_auth',
    meaning: 'The token answers another challenge or another request.',
  },
  token_rejected: {
    retry: 'reauthenticate',
    status: 401,
    close: 'needs_auth',
    meaning: 'No such device, or the signature is not by its auth key.',
  },
  cloned: {
    retry: 'never',
    status: 403,
    close: 'cloned',
    meaning: 'Another copy of this device has connected since; this copy must not go on.',
  },
  displaced: { retry: 'never', close: 'displaced', meaning: 'A newer connection of the same device took over.' },
  device_removed: {
    retry: 'never',
    close: 'device_removed',
    meaning: 'The account removed this device from its list.',
  },

  conflict: {
    retry: 'never',
    status: 409,
    meaning: 'The same number and attempt came with other bytes: a bug of the sender.',
  },
  out_of_order: {
    retry: 'change',
    meaning: 'An earlier n of this device is not committed yet; submit upwards from the lowest.',
  },
  stale_n: { retry: 'never', meaning: 'The n is older than the results that the relay remembers.' },
  mismatch: { retry: 'change', meaning: 'The devices named for an account are not those of its newest list.' },
  stale_group: { retry: 'change', meaning: 'The handle has a later group change than the sender has applied.' },
  floor_ahead: { retry: 'never', meaning: 'The floor is above the counter and more than 48 h ahead of now.' },
  bad_recipients: {
    retry: 'never',
    meaning: 'The sender account is not named, an account or device is named twice, or an account has no device.',
  },
  window_full: { retry: 'retry', meaning: 'More submits are in flight than the window allows.' },
  unknown_recipient: { retry: 'never', meaning: 'A named account or device does not exist.' },

  rate_limited: {
    retry: 'retry',
    status: 429,
    close: 'rate_limited',
    meaning: 'Too many requests; wait the given time.',
  },
  store_full: { retry: 'retry', status: 503, meaning: 'The server has no room to keep more; nothing was stored.' },
  unavailable: {
    retry: 'retry',
    status: 503,
    close: 'overloaded',
    meaning: 'The server cannot serve now; nothing was stored.',
  },
  internal: { retry: 'retry', status: 500, meaning: 'A fault of the server. The log has its cause.' },

  not_found: { retry: 'never', status: 404, meaning: 'No such account, device or name, or no permission to see it.' },
  unknown_route: { retry: 'never', status: 404, meaning: 'No such route.' },
  ticket_missing: {
    retry: 'never',
    status: 403,
    meaning: "Registration is by a ticket of the app's own backend, and none came.",
  },
  ticket_rejected: {
    retry: 'never',
    status: 403,
    meaning: 'The ticket is not for this server, or not signed by a key that it takes tickets of.',
  },
  ticket_expired: {
    retry: 'reauthenticate',
    status: 401,
    meaning: 'The ticket is past its time, lives too long, or is from the future.',
  },
  ticket_used: { retry: 'reauthenticate', status: 401, meaning: 'The ticket has let in another account.' },
  account_exists: { retry: 'never', status: 409, meaning: 'The account id is taken by another registration.' },
  username_taken: { retry: 'never', status: 409, meaning: 'The username belongs to another account or is held back.' },
  bad_proof: {
    retry: 'never',
    status: 422,
    meaning: 'The proof does not show that the username hashes to this value.',
  },
  bad_key: {
    retry: 'never',
    status: 422,
    meaning: 'A key has the wrong length or form, or its signature does not verify.',
  },
  key_conflict: { retry: 'never', status: 409, meaning: 'A prekey id is taken by another key.' },
  bad_device_list: { retry: 'never', status: 422, meaning: 'The list is not a signed successor of the one before.' },
  stale_version: { retry: 'change', status: 409, meaning: 'A newer device list exists.' },
  idempotency_conflict: { retry: 'never', status: 422, meaning: 'The Idempotency-Key was used with another body.' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errors;

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errors, text);
}

/** The row of a code, with its optional columns. */
export function errorRow(code: ErrorCode): ErrorRow {
  return errors[code];
}

/** Bytes or a request that the contract refuses. `message` names the part that is wrong and never quotes it. */
export class ProtocolError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, what: string) {
    super(`${code}: ${what}`);
    this.name = 'ProtocolError';
    this.code = code;
  }
}
