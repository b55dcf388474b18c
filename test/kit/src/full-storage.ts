import { StoreFullError, type Storage } from '@waxwing/storage';

/** The storage under a disk that is full while this says so: what it has is read, and every write is refused. */
export function onDisk(under: Storage, isFull: () => boolean): Storage {
  const write = <T>(call: () => Promise<T>): Promise<T> => (isFull() ? Promise.reject(new StoreFullError()) : call());
  const refusal = { type: 'refused', code: 'store_full' } as const;
  const { directory, prekeys, mailboxes } = under;
  return {
    directory: {
      ...directory,
      register: (account) => write(() => directory.register(account)),
      putDeviceList: (next) => write(() => directory.putDeviceList(next)),
      claimGeneration: (device, tokens) => write(() => directory.claimGeneration(device, tokens)),
      setUsername: (account, hash) => write(() => directory.setUsername(account, hash)),
      removeUsername: (account) => write(() => directory.removeUsername(account)),
    },
    prekeys: {
      ...prekeys,
      publish: (device, keys) => write(() => prekeys.publish(device, keys)),
      take: (device, options) => write(() => prekeys.take(device, options)),
    },
    mailboxes: {
      ...mailboxes,
      submit: (submit) => (isFull() ? Promise.resolve(refusal) : mailboxes.submit(submit)),
      submitDirect: (submission) => (isFull() ? Promise.resolve(refusal) : mailboxes.submitDirect(submission)),
      open: (device, committed) => write(() => mailboxes.open(device, committed)),
      ack: (device, committed) => write(() => mailboxes.ack(device, committed)),
      drop: (device) => write(() => mailboxes.drop(device)),
      check: () => write(() => mailboxes.check()),
    },
    close: () => under.close(),
  };
}
