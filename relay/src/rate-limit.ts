import { limits, type Clock } from '@waxwing/protocol';

// Written here because rate-limiter-flexible reads Date.now() itself, and a limit on virtual time must not.

export type RateLimit = {
  /** Takes this many of the key's units. 0: taken. Else nothing was taken, and the answer is the wait in ms. */
  take(key: string, units?: number): number;
  /** Returns units that turned out not to be used. */
  giveBack(key: string, units?: number): void;
};

type Bucket = { units: number; atMs: number };

/**
 * A token bucket per key: `burst` units at first, and one more each `refillMs`, up to `burst`. A clock that steps back
 * refills nothing. At most `rateLimitKeysMax` keys are kept; beyond that the one that began first is forgotten. One that has been given back all it took is forgotten at once.
 */
export function createRateLimit(rule: { burst: number; refillMs: number }, clock: Clock): RateLimit {
  const buckets = new Map<string, Bucket>();

  const refilled = (key: string): Bucket => {
    const nowMs = clock.now();
    const bucket = buckets.get(key);
    if (!bucket) {
      forgetSome();
      const fresh = { units: rule.burst, atMs: nowMs };
      buckets.set(key, fresh);
      return fresh;
    }
    const gained = Math.max(0, nowMs - bucket.atMs) / rule.refillMs;
    bucket.units = Math.min(rule.burst, bucket.units + gained);
    bucket.atMs = nowMs;
    return bucket;
  };

  const forgetSome = (): void => {
    for (const key of buckets.keys()) {
      if (buckets.size < limits.rateLimitKeysMax) return;
      buckets.delete(key);
    }
  };

  return {
    take(key, units = 1) {
      const bucket = refilled(key);
      if (bucket.units >= units) {
        bucket.units -= units;
        return 0;
      }
      return Math.ceil((units - bucket.units) * rule.refillMs);
    },
    giveBack(key, units = 1) {
      if (!buckets.has(key)) return;
      const bucket = refilled(key);
      bucket.units += units;
      // Who has all units is as good as unknown.
      if (bucket.units >= rule.burst) buckets.delete(key);
    },
  };
}

/** The limits that follow a device from one connection to the next. Keys are `deviceKeyText`. */
export type DeviceRates = { readonly submits: RateLimit; readonly heads: RateLimit; readonly errors: RateLimit };

const MINUTE = 60_000;

export function createDeviceRates(clock: Clock): DeviceRates {
  const perMinute = (count: number): RateLimit => createRateLimit({ burst: count, refillMs: MINUTE / count }, clock);
  return {
    submits: createRateLimit(
      { burst: limits.submitsPerDeviceBurst, refillMs: 1_000 / limits.submitsPerDeviceRefillPerSecond },
      clock,
    ),
    heads: perMinute(limits.headsHandlesPerMinute),
    errors: perMinute(limits.errorsPerMinute),
  };
}
