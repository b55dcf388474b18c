import { limits } from '@waxwing/protocol';

/** How much longer than the least a wait may be. */
const JITTER = 0.5;

/**
 * How long others are not asked for a hole after it was asked for `tries` times: twice as long each time and up to half
 * as much again at random (`fraction` of it, 0 to 1), an hour at most.
 */
export function repairWaitMs(tries: number, fraction: number): number {
  const least = Math.min(limits.repairFirstMs * 2 ** tries, limits.repairMaxMs / (1 + JITTER));
  return Math.floor(least * (1 + JITTER * fraction));
}

/** When the session with a device may be set up anew, for something of `sinceMs` that could not be read; undefined: it was since. */
export function renewalDueMs(sinceMs: number, renewedMs: number | null): number | undefined {
  if (renewedMs === null) return sinceMs + limits.repairFirstMs / 2;
  return sinceMs > renewedMs ? Math.max(sinceMs, renewedMs + limits.sessionRenewalMs) : undefined;
}
