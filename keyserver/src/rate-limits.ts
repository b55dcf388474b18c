import { limits, type Clock } from '@waxwing/protocol';
import { createTokenBuckets, type Rate, type TokenBuckets } from './token-buckets.ts';

/** The limits that an operator may set. */
export type RateSettings = {
  /** Requests of one address. */
  readonly perAddress: Rate;
  /** Requests of everybody. */
  readonly inAll: Rate;
  /** New accounts from one address. */
  readonly registrationsPerAddress: Rate;
};

export const defaultRates: RateSettings = {
  perAddress: { burst: limits.httpPerAddressBurst, refillMs: limits.httpPerAddressRefillMs },
  inAll: { burst: limits.httpInAllBurst, refillMs: limits.httpInAllRefillMs },
  registrationsPerAddress: {
    burst: limits.registrationsPerAddressBurst,
    refillMs: limits.registrationsPerAddressRefillMs,
  },
};

export type RateLimits = { readonly [Name in keyof RateSettings]: TokenBuckets } & {
  /** Takes of one-time keys, by caller and target account. */
  readonly takesPerPair: TokenBuckets;
  /** Bundles, by caller account. */
  readonly bundlesPerCaller: TokenBuckets;
  /** By caller account. */
  readonly lookupsPerCaller: TokenBuckets;
  /** Names that an account takes. */
  readonly usernamesPerAccount: TokenBuckets;
};

export function createRateLimits(clock: Clock, settings: Partial<RateSettings> = {}): RateLimits {
  const rates = { ...defaultRates, ...settings };
  return {
    perAddress: createTokenBuckets(clock, rates.perAddress),
    inAll: createTokenBuckets(clock, rates.inAll),
    registrationsPerAddress: createTokenBuckets(clock, rates.registrationsPerAddress),
    takesPerPair: createTokenBuckets(clock, {
      burst: limits.oneTimeTakesPerPairBurst,
      refillMs: limits.oneTimeTakesPerPairRefillMs,
    }),
    bundlesPerCaller: createTokenBuckets(clock, {
      burst: limits.bundlesPerCallerBurst,
      refillMs: 1_000 / limits.bundlesPerCallerRefillPerSecond,
    }),
    lookupsPerCaller: createTokenBuckets(clock, {
      burst: limits.usernameLookupsPerCallerBurst,
      refillMs: limits.usernameLookupsPerCallerRefillMs,
    }),
    usernamesPerAccount: createTokenBuckets(clock, {
      burst: limits.usernamesPerAccountBurst,
      refillMs: limits.usernamesPerAccountRefillMs,
    }),
  };
}
