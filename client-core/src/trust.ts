import { isAccountId, sameBytes, type AccountId } from '@waxwing/protocol';
import { ClosedError, UnknownUserError, UnreachableError, WaxwingError } from './errors.ts';
import type { Store } from './history/store.ts';
import type { Crypto, NumericFingerprint } from './session/crypto.ts';
import type { Contacts } from './sync/contacts.ts';

/**
 * What two people compare, by reading it out or by scanning, to know that nobody stands between their accounts: libsignal's
 * numeric fingerprint over both accounts' ids and identity keys. It changes when an identity key does.
 */
export type SafetyNumber = {
  /** 60 decimal digits, the same on both sides; shown in groups of five. */
  readonly digits: string;
  /** For a code that the other side scans. Each side's are its own. */
  readonly scannable: Uint8Array;
  /** The person has compared this very number (`trust.markVerified`), as of the call that gave it. */
  readonly verified: boolean;
  /**
   * Whether the other side shows the same number: its digits, however grouped, or the bytes scanned from it. False too
   * for what is no safety number.
   */
  compare(shown: Uint8Array | string): boolean;
};

/** What a person says of the identities of others. */
export type Trust = {
  /**
   * Takes an account with the identity key that it has now; messages that its change held go. Idempotent; without effect
   * where nothing changed. It verifies nothing.
   */
  accept(peer: AccountId): Promise<void>;
  /**
   * The person has compared this number with the other side. It stays `verified` until the account's identity key changes.
   * Rejects with `safety_number_changed` where it is not the number of now.
   */
  markVerified(peer: AccountId, number: SafetyNumber): Promise<void>;
};

type TrustParts = {
  readonly store: Store;
  readonly crypto: Crypto;
  readonly contacts: Contacts;
  readonly closing: AbortSignal;
  /** The person takes the account's key of now. */
  readonly accepted: (account: AccountId) => void;
};

export function createTrust(parts: TrustParts): {
  safetyNumber(peer: AccountId): Promise<SafetyNumber>;
  readonly trust: Trust;
} {
  const { store, crypto, contacts, closing, accepted } = parts;
  const refuseClosed = (): void => {
    if (closing.aborted) throw new ClosedError();
  };
  const current = (account: AccountId): { key: Uint8Array; made: NumericFingerprint } | undefined => {
    const key = contacts.list(account)?.list.identityKey;
    const own = contacts.own().list;
    return key && { key, made: crypto.fingerprint(own, { account, identityKey: key }) };
  };

  return {
    async safetyNumber(peer) {
      refuseClosed();
      if (!isAccountId(peer)) throw new UnknownUserError();
      if (!contacts.list(peer)) {
        const fetched = await contacts.fetch(peer);
        refuseClosed();
        if (fetched === 'missing') throw new UnknownUserError();
        if (fetched === 'unreachable') throw new UnreachableError();
        if (fetched === 'refused') throw new WaxwingError('server_fault');
      }
      const now = current(peer);
      if (now === undefined) throw new UnreachableError();
      const { digits, scannable } = now.made;
      const verifiedKey = store.trust.verifiedKey(peer);
      return {
        digits,
        scannable,
        verified: verifiedKey !== undefined && sameBytes(verifiedKey, now.key),
        compare: (shown) =>
          typeof shown === 'string' ? shown.replaceAll(/\s/g, '') === digits : crypto.isOtherSide(scannable, shown),
      };
    },
    trust: {
      async accept(peer) {
        await Promise.resolve();
        refuseClosed();
        store.transaction(() => store.trust.accept(peer));
        accepted(peer);
      },
      async markVerified(peer, { digits }) {
        await Promise.resolve();
        refuseClosed();
        const now = current(peer);
        if (now?.made.digits !== digits) throw new WaxwingError('safety_number_changed');
        store.transaction(() => store.trust.verify(peer, now.key));
        accepted(peer);
      },
    },
  };
}
