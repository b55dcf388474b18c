import type { Runtime } from '@waxwing/protocol';
import { createListeners } from '../listeners.ts';
import type { Storage } from '../storage.ts';
import { storeLimits, type StoreLimits } from '../store-limits.ts';
import { createCaller, type Caller } from './caller.ts';
import type { DirectoryMethods, RelayMethods, Request } from './calls.ts';
import { openThread } from './thread.ts';
import { tight } from './tight.ts';

/**
 * The embedded storage: two SQLite files in a folder, directory.db (accounts, lists, generations, prekeys, usernames) and
 * relay.db (counters, memory of n, entries, mailboxes), which is made if it is not there. Everything runs in a thread of
 * its own; what is answered is on the disk.
 *
 * `restored: true` says that the files may be older than what was last served: the store is then another incarnation.
 * relay.db may be deleted while the storage is closed, to the same effect. Rejects, naming the folder or file, if another
 * storage has the folder open or a file's schema is newer than this version. Calls other than submits reject with
 * StoreFullError when the disk cannot be written.
 */
export async function openSqliteStorage(o: {
  /** The folder. */
  readonly directory: string;
  readonly runtime: Runtime;
  readonly restored?: boolean;
  readonly limits?: Partial<StoreLimits>;
  /** relay.db grows no larger than this; when it is full, submits are answered `store_full`. Absent: as far as the disk goes. */
  readonly maxBytes?: number;
  /** `calling`: no thread, for a program that has nothing else to do. A slow disk then stops everything. */
  readonly thread?: 'own' | 'calling';
}): Promise<Storage> {
  const { runtime } = o;
  const listeners = createListeners();
  const seed = tight(runtime.randomBytes(32));
  const options = {
    folder: o.directory,
    restored: o.restored ?? false,
    limits: storeLimits(o.limits),
    ...(o.maxBytes !== undefined && { maxBytes: o.maxBytes }),
    seed,
  };
  const thread = await openThread(options, o.thread !== 'calling');
  const caller = createCaller(thread, {
    runtime,
    isHeard: (account, device) => listeners.has(account, device),
    onArrived: ({ device, entry }) => listeners.wake(device, entry),
  });
  const directory = methods<DirectoryMethods>(caller, {
    register: true,
    deviceList: true,
    putDeviceList: true,
    claimGeneration: true,
    holdsGeneration: true,
    setUsername: true,
    findUsername: true,
    removeUsername: true,
    publish: true,
    take: true,
    count: true,
    repeated: true,
  });
  const mailboxes = methods<RelayMethods>(caller, {
    submit: true,
    submitDirect: true,
    open: true,
    read: true,
    ack: true,
    heads: true,
    entries: true,
    drop: true,
    check: true,
  });
  return {
    directory,
    prekeys: directory,
    mailboxes: {
      ...mailboxes,
      listen: (device, wake) => listeners.add(device, wake),
    },
    close: () => caller.close(),
  };
}

/** The methods of these names, each of which asks the caller: the thread answers in the type of the method. */
function methods<Methods>(caller: Caller, names: Readonly<Record<keyof Methods & string, true>>): Methods {
  const all = Object.keys(names).map((name) => [name, (...args: unknown[]) => caller.call({ name, args } as Request)]);
  return Object.fromEntries(all) as Methods;
}
