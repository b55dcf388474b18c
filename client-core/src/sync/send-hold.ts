import type { AccountId } from '@waxwing/protocol';
import type { Store } from '../history/store.ts';

/**
 * What a changed identity key of a contact means. `accept-and-warn`: it is told and messages go on, unless the person had
 * verified the key before. `block`: nothing is encrypted for the contact until the person accepts.
 */
export type IdentityPolicy = 'accept-and-warn' | 'block';

/** Why messages for an account stay queued though the relay and its devices could be had. */
export type SendHold = {
  readonly cause: 'identity changed';
  readonly sinceMs: number;
  /** The safety number had been compared: it holds under every policy. */
  readonly wasVerified: boolean;
};

/**
 * What keeps this device from encrypting anything for an account; undefined where nothing does. `trust.accept` and
 * `trust.markVerified` end it. Mail from the account is read all the same.
 */
export function sendHold(store: Store, policy: IdentityPolicy, account: AccountId): SendHold | undefined {
  const change = store.trust.change(account);
  if (change === undefined || change.isAccepted) return undefined;
  // Whatever is not the milder policy is the stricter one.
  if (policy === 'accept-and-warn' && !change.wasVerified) return undefined;
  return { cause: 'identity changed', sinceMs: change.atMs, wasVerified: change.wasVerified };
}
