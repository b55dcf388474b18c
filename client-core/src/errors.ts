import { errorRow, type ErrorCode, type RetryClass } from '@waxwing/protocol';

/** What can go wrong on the device, beside the codes of the protocol's error table. */
export const clientErrors = {
  store_key_mismatch: { retry: 'never', meaning: 'The store key does not open this file. The file is untouched.' },
  store_too_new: { retry: 'never', meaning: 'The file was written by a newer version. It is untouched.' },
  not_a_store: { retry: 'never', meaning: 'The file is not a Waxwing store. It is untouched.' },
  store_in_use: { retry: 'retry', meaning: 'Another process has this file open.' },
  store_damaged: { retry: 'never', meaning: 'The file failed its integrity check. It is untouched.' },
  store_full: { retry: 'retry', meaning: 'The disk under the file is full, or failed. Nothing of this step was kept.' },
  no_device: { retry: 'never', meaning: 'The file holds no device. Create one.' },
  device_exists: { retry: 'never', meaning: 'The file holds a device already. Open it.' },
  closed: { retry: 'never', meaning: 'The client is closed.' },
  unreachable: { retry: 'retry', meaning: 'The server did not answer.' },
  unknown_user: { retry: 'never', meaning: 'No such account or username.' },
  bad_username: {
    retry: 'never',
    meaning:
      'A username is a nickname of 3 to 32 letters, digits and underscores, not starting with a digit, and may end in a dot and two or more digits.',
  },
  no_ticket: { retry: 'retry', meaning: 'The app gave no ticket to register with.' },
  id_taken: { retry: 'never', meaning: 'The message id was used with another content or conversation.' },
  unknown_message: { retry: 'never', meaning: 'No such message or hole here.' },
  safety_number_changed: {
    retry: 'never',
    meaning: 'The safety number is not the one of now: a key has changed since, or it is that of another account.',
  },
  cancelled: { retry: 'never', meaning: 'The message was cancelled before it left.' },
  server_fault: { retry: 'retry', meaning: 'The server gave an answer that its contract does not know.' },
} as const satisfies Record<string, { readonly retry: RetryClass; readonly meaning: string }>;

/** A code of the table above. */
export type ClientErrorCode = keyof typeof clientErrors;

/**
 * What the library throws and rejects with. `code` is stable: one of the client's table or of the protocol's.
 * `retryable` says whether the same call may succeed later, `retryAfterMs` when at the earliest, if known.
 */
export class WaxwingError extends Error {
  readonly code: ClientErrorCode | ErrorCode;
  readonly retryable: boolean;
  declare readonly retryAfterMs?: number;
  constructor(
    code: ClientErrorCode | ErrorCode,
    options: { cause?: unknown; retryAfterMs?: number; message?: string } = {},
  ) {
    const row = isClientCode(code) ? clientErrors[code] : errorRow(code);
    super(options.message ?? row.meaning, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryable = row.retry === 'retry' || row.retry === 'reauthenticate';
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
  }
}

function isClientCode(code: ClientErrorCode | ErrorCode): code is ClientErrorCode {
  return Object.hasOwn(clientErrors, code);
}

/** With a type of its own: what it inherits of `Error` is not for the packed types to list. */
function named(code: ClientErrorCode): new (options?: { cause?: unknown; retryAfterMs?: number }) => WaxwingError {
  return class extends WaxwingError {
    constructor(options?: { cause?: unknown; retryAfterMs?: number }) {
      super(code, options);
    }
  };
}

/** The store key does not open the file. */
export class StoreKeyMismatchError extends named('store_key_mismatch') {}
/** The file was written by a newer version. */
export class StoreTooNewError extends named('store_too_new') {}
/** The file is something else. */
export class NotAStoreError extends named('not_a_store') {}
/** Another process, or another client of this one, has the file open. */
export class StoreInUseError extends named('store_in_use') {}
/** The file failed its integrity check. */
export class StoreDamagedError extends named('store_damaged') {}
/** The disk is full or failed; nothing of the step was kept. */
export class StoreFullError extends named('store_full') {}
/** The file holds no device. */
export class NoDeviceError extends named('no_device') {}
/** The file holds a device already. */
export class DeviceExistsError extends named('device_exists') {}
/** The client is closed. */
export class ClosedError extends named('closed') {}
/** The server did not answer. */
export class UnreachableError extends named('unreachable') {}
/** No such account or username. */
export class UnknownUserError extends named('unknown_user') {}

/** A message failed for good; `code` says why. */
export class SendFailedError extends WaxwingError {}
