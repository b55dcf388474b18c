import type { Runtime } from '@waxwing/protocol';
import { createListeners } from '../listeners.ts';
import type { Storage } from '../storage.ts';
import { storeLimits, type StoreLimits } from '../store-limits.ts';
import { startWorker } from './worker-host.ts';

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
}): Promise<Storage> {
  const listeners = createListeners();
  const options = { folder: o.directory, restored: o.restored ?? false, limits: storeLimits(o.limits) };
  const { call, close } = await startWorker(options, {
    runtime: o.runtime,
    onWoken: (devices) => listeners.wake(devices),
  });
  return {
    directory: {
      register: (account) => call('register', account),
      deviceList: (account) => call('deviceList', account),
      putDeviceList: (next) => call('putDeviceList', next),
      claimGeneration: (device, tokens) => call('claimGeneration', device, tokens),
      holdsGeneration: (device, tokens) => call('holdsGeneration', device, tokens),
      setUsername: (account, hash) => call('setUsername', account, hash),
      findUsername: (hash) => call('findUsername', hash),
      removeUsername: (account) => call('removeUsername', account),
    },
    prekeys: {
      publish: (device, keys) => call('publish', device, keys),
      take: (device, options) => call('take', device, options),
      count: (device) => call('count', device),
      repeated: (device) => call('repeated', device),
    },
    mailboxes: {
      submit: (submit) => call('submit', submit),
      submitDirect: (submission) => call('submitDirect', submission),
      open: (device, committed) => call('open', device, committed),
      read: (device, after, max) => call('read', device, after, max),
      ack: (device, committed) => call('ack', device, committed),
      listen: (device, wake) => listeners.add(device, wake),
      heads: (handles) => call('heads', handles),
      entries: (handle, era, numbers, asker) => call('entries', handle, era, numbers, asker),
      drop: (device) => call('drop', device),
      check: () => call('check'),
    },
    close,
  };
}
