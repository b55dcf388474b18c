import { limits, type Clock } from '@waxwing/protocol';
import { readKeySet, type KeySet, type LoadKeySet, type TicketKey } from './key-set.ts';

export type FoundKey =
  | { readonly type: 'key'; readonly key: TicketKey }
  | { readonly type: 'unknown' }
  /** It cannot be told now. */
  | { readonly type: 'away'; readonly retryAfterMs: number };

/**
 * The keys that tickets are signed with, as they were loaded last.
 *
 *            load ok                       ticketKeysFreshMs pass
 *   none ────────────▶ fresh ─────────────────────────────────────▶ stale ── ticketKeysMaxAgeMs since loaded ──▶ none
 *                        ▲                                            │
 *                        └──────────────────── load ok ───────────────┘
 *
 * Fresh keys are used as they are; stale ones are loaded anew first, and used all the same where that fails. A kid that is
 * not known is looked for by a load, and `unknown` only where one that began after the question does not have it: a key
 * that was just rotated in is never refused for good. Loads begin `ticketKeysCooldownMs` apart at least, whoever asks.
 */
export type TicketKeys = { find(kid: string): Promise<FoundKey> };

/** A key set that is not to be used: the code says why, in the words of `readKeySet`, which quote nothing. */
class KeySetFault extends Error {
  readonly code: string;
  constructor(wrong: string) {
    super(`the key set ${wrong}`);
    this.name = 'KeySetFault';
    this.code = wrong;
  }
}

export function createTicketKeys(o: {
  readonly load: LoadKeySet;
  readonly clock: Clock;
  /** Told of each load that failed. */
  readonly onFailure: (error: unknown) => void;
}): TicketKeys {
  let loaded: { readonly keys: KeySet; readonly atMs: number } | undefined;
  let triedAtMs: number | undefined;
  let loading: Promise<boolean> | undefined;

  const ageMs = (atMs: number): number => Math.abs(o.clock.now() - atMs);
  const known = (kid: string, maxAgeMs: number): FoundKey | undefined => {
    const key = loaded && ageMs(loaded.atMs) < maxAgeMs ? loaded.keys.get(kid) : undefined;
    return key && { type: 'key', key };
  };
  const load = async (): Promise<boolean> => {
    const atMs = o.clock.now();
    triedAtMs = atMs;
    try {
      const read = readKeySet(await o.load());
      if ('wrong' in read) throw new KeySetFault(read.wrong);
      loaded = { keys: read.keys, atMs };
      return true;
    } catch (error) {
      o.onFailure(error);
      return false;
    } finally {
      loading = undefined;
    }
  };
  const restMs = (): number => {
    if (triedAtMs === undefined) return 0;
    return Math.max(0, limits.ticketKeysCooldownMs - ageMs(triedAtMs));
  };

  return {
    async find(kid) {
      const fresh = known(kid, limits.ticketKeysFreshMs);
      if (fresh) return fresh;
      const waitMs = restMs();
      const begins = loading === undefined && waitMs === 0;
      if (begins) loading = load();
      const isLoaded = await loading;
      const found = known(kid, limits.ticketKeysMaxAgeMs);
      if (found) return found;
      if (begins && isLoaded === true) return { type: 'unknown' };
      return { type: 'away', retryAfterMs: restMs() || limits.ticketKeysCooldownMs };
    },
  };
}
