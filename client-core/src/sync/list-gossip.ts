import { deviceListHash, sameBytes, type AccountId, type Frame, type ListClaim } from '@waxwing/protocol';
import type { KeptList } from '../history/device-lists.ts';
import type { Store } from '../history/store.ts';
import type { Placing } from './placing.ts';

/** Two lists under one version: somebody was shown another account than the rest. */
export const splitList = 'two device lists of one version';

/** What a sender says of its own list, beside the list that is kept of it. `newer` cannot be compared yet. */
function judgeList({ signed, list }: KeptList, claim: ListClaim): 'agrees' | 'contradicts' | 'newer' {
  if (claim.version > list.version) return 'newer';
  const hash = claim.version === list.version ? deviceListHash(signed) : list.previousHash;
  // Of lists further back nothing is kept to compare.
  if (claim.version < list.version - 1) return 'agrees';
  return sameBytes(hash.subarray(0, claim.hashPrefix.length), claim.hashPrefix) ? 'agrees' : 'contradicts';
}

/** Takes what a frame says of its sender's list, within a transaction. Answers whether a newer list is to be fetched. */
export function takeListClaim(store: Store, kept: KeptList | undefined, frame: Frame, placing: Placing): boolean {
  const { sender, list: claim } = frame;
  if (kept === undefined) return false;
  const judged = judgeList(kept, claim);
  if (judged === 'contradicts') placing.alarm({ ...sender, what: splitList });
  if (judged !== 'newer') return false;
  const before = store.lists.claim(sender.account);
  if (before?.version === claim.version && !sameBytes(before.hashPrefix, claim.hashPrefix)) {
    placing.alarm({ ...sender, what: splitList });
  }
  if (before === undefined || claim.version > before.version) store.lists.keepClaim(sender.account, claim);
  return true;
}

/** Compares the claim that waited for this list, within a transaction. Answers whether it contradicts. */
export function settleListClaim(store: Store, account: AccountId, kept: KeptList): boolean {
  const claim = store.lists.claim(account);
  const judged = claim && judgeList(kept, claim);
  if (judged === undefined || judged === 'newer') return false;
  store.lists.dropClaim(account);
  return judged === 'contradicts';
}
