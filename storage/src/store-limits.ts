import { limits } from '@waxwing/protocol';

type StoreLimitName =
  | 'resultsRemembered'
  | 'floorAheadMs'
  | 'directDedupeMs'
  | 'mailboxTtlMs'
  | 'mailboxMaxEntries'
  | 'mailboxMaxBytes'
  | 'mailboxShareOfOneSender'
  | 'marksPerMailbox'
  | 'counterTtlMs'
  | 'usernameRestMs'
  | 'oneTimeKeysPerDevice'
  | 'oneTimeKeysRemembered';

/** The bounds that a store keeps, by their names in the table of limits. */
export type StoreLimits = Readonly<Record<StoreLimitName, number>>;

/** The table's values, with `changed` in place of some. */
export function storeLimits(changed: Partial<StoreLimits> = {}): StoreLimits {
  return { ...limits, ...changed };
}
