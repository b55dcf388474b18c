import { limits } from '@waxwing/protocol';

/** Milliseconds that a Retry-After header asks for, in its form of seconds; its form of a date is not taken. At most `retryAfterMaxMs`. */
export function parseRetryAfter(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,9}$/.test(header)) return undefined;
  return Math.min(Number(header) * 1_000, limits.retryAfterMaxMs);
}
