import { errorRow, type ErrorCode, type ProblemJson } from '@waxwing/protocol';

/** A request that is answered with an error of the table: an expected outcome, passed as a value. */
export type Refusal = {
  readonly type: 'refused';
  readonly code: ErrorCode;
  /** When the same request may succeed. */
  readonly retryAfterMs?: number;
  /** Names the part that is wrong. Never quotes what came. */
  readonly detail?: string;
};

/** What a route gives: a body, or a refusal. */
export type Outcome<T> = { readonly type: 'answer'; readonly body: T } | Refusal;

export function refused(code: ErrorCode, more: { retryAfterMs?: number; detail?: string } = {}): Refusal {
  return { type: 'refused', code, ...more };
}

export function answered<T>(body: T): Outcome<T> {
  return { type: 'answer', body };
}

/** RFC 9457. `status` is the table's unless HTTP itself has a closer one (408, 415, 431). */
export function problemJson(code: ErrorCode, status?: number, detail?: string): ProblemJson {
  const row = errorRow(code);
  return {
    type: `urn:waxwing:error:${code}`,
    title: row.meaning,
    status: status ?? row.status ?? 400,
    code,
    retryable: row.retry === 'retry' || row.retry === 'reauthenticate',
    ...(detail !== undefined && { detail }),
  };
}
