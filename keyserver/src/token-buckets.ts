import { limits, type Clock } from '@waxwing/protocol';

/** A bucket holds `burst` at most and starts full; every `refillMs`, which may be a fraction, one more. */
export type Rate = { readonly burst: number; readonly refillMs: number };

/** What sums of fractions may be off by, so that who waited as told is served. */
const ROUNDING = 1e-6;

/**
 * One token bucket per key. `take` answers 0 and takes the cost, or takes nothing and answers the milliseconds after which
 * it would succeed. A cost above the burst is taken from a full bucket, so that no single request waits for ever.
 */
export type TokenBuckets = { take(key: string, cost?: number): number };

/**
 * Buckets by the given clock; rate-limiter-flexible and @fastify/rate-limit read the system's. A clock that steps back
 * refills nothing. At most `rateLimitKeysMax` keys: beyond it the one that was used longest ago starts anew.
 */
export function createTokenBuckets(clock: Clock, rate: Rate, maxKeys: number = limits.rateLimitKeysMax): TokenBuckets {
  const buckets = new Map<string, { level: number; atMs: number }>();
  return {
    take(key, cost = 1) {
      const nowMs = clock.now();
      const bucket = buckets.get(key) ?? { level: rate.burst, atMs: nowMs };
      const level = Math.min(rate.burst, bucket.level + Math.max(0, nowMs - bucket.atMs) / rate.refillMs);
      const wanted = Math.min(cost, rate.burst);
      const granted = level >= wanted - ROUNDING;
      buckets.delete(key);
      buckets.set(key, { level: granted ? Math.max(0, level - wanted) : level, atMs: nowMs });
      if (buckets.size > maxKeys) dropOldest(buckets);
      return granted ? 0 : Math.max(1, Math.ceil((wanted - level) * rate.refillMs - ROUNDING));
    },
  };
}

function dropOldest(map: Map<string, unknown>): void {
  const oldest = map.keys().next();
  if (oldest.done !== true) map.delete(oldest.value);
}
