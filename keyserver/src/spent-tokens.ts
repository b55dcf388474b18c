import { limits, type Clock } from '@waxwing/protocol';

/**
 * Tokens that were used at a route that must not be replayed, each for as long as any token can live. `full` refuses rather
 * than forgets: a forgotten token could be used again.
 */
export type SpentTokens = { spend(tokenHash: string): 'fresh' | 'spent' | 'full' };

/** Remembers in this process only: of several keyservers behind one origin, each takes a token once. */
export function createSpentTokens(clock: Clock, maxTokens: number = limits.spentTokensMax): SpentTokens {
  /** Hash to the time when it may be forgotten; oldest first. */
  const spent = new Map<string, number>();
  return {
    spend(tokenHash) {
      const nowMs = clock.now();
      for (const [hash, forgetAtMs] of spent) {
        if (forgetAtMs > nowMs) break;
        spent.delete(hash);
      }
      if (spent.has(tokenHash)) return 'spent';
      if (spent.size >= maxTokens) return 'full';
      spent.set(tokenHash, nowMs + limits.tokenLifetimeMs + limits.tokenFutureMs);
      return 'fresh';
    },
  };
}
