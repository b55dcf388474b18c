import type { Runtime } from '@waxwing/protocol';
import type { NewestList } from '../rules/device-sets.ts';
import type { Storage } from '../storage.ts';
import { storeLimits, type StoreLimits } from '../store-limits.ts';
import { createMemoryDirectory } from './directory.ts';
import { createMemoryMailboxes } from './mailboxes.ts';
import { createMemoryPrekeys } from './prekeys.ts';
import { createDirectoryState, createRelayState, type DirectoryState, type RelayState } from './state.ts';

/** What a memory storage keeps, as a value: it outlives the storage, as files outlive a process. */
export type MemoryState = { readonly directory: DirectoryState; readonly relay: RelayState };

export type MemoryStorage = Storage & {
  /** A copy of all that is kept now. */
  snapshot(): MemoryState;
};

/**
 * A storage in memory: exact, and gone with the process. With `from` it goes on from what an earlier one kept; a state
 * without `relay` has lost its counters and mailboxes. `restored: true` says that `from` may be older than what was
 * last served: the store is then another incarnation.
 */
export function createMemoryStorage(o: {
  readonly runtime: Runtime;
  readonly from?: Partial<MemoryState>;
  readonly restored?: boolean;
  readonly limits?: Partial<StoreLimits>;
}): MemoryStorage {
  const { runtime } = o;
  const limits = storeLimits(o.limits);
  const from = structuredClone(o.from ?? {});
  const directory = from.directory ?? createDirectoryState();
  if (o.restored === true) directory.generations.clear();
  const relay =
    from.relay && o.restored !== true ? from.relay : createRelayState(runtime.randomBytes, from.relay?.data);
  const prekeys = createMemoryPrekeys(directory, { incarnation: relay.incarnation, limits });
  const newestList: NewestList = (account) => directory.lists.get(account)?.newest.list;
  return {
    directory: createMemoryDirectory(directory, { runtime, limits, prekeys }),
    prekeys,
    mailboxes: createMemoryMailboxes(relay, { runtime, newestList, limits }),
    snapshot: () => structuredClone({ directory, relay }),
    close: () => Promise.resolve(),
  };
}
