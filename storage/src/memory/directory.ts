import { sameBytes, type AccountId, type Runtime } from '@waxwing/protocol';
import { deviceKeyText } from '../device-key.ts';
import type { DirectoryStore, NewAccount, StoredList, Ticket } from '../directory-store.ts';
import { holdsToken } from '../rules/generation.ts';
import { removedDevices } from '../rules/removed-devices.ts';
import type { StoreLimits } from '../store-limits.ts';
import type { MemoryPrekeys } from './prekeys.ts';
import type { DirectoryState } from './state.ts';

type PutAnswer = Awaited<ReturnType<DirectoryStore['putDeviceList']>>;

/** Accounts, lists, generations and usernames in memory. */
export function createMemoryDirectory(
  state: DirectoryState,
  o: { readonly runtime: Runtime; readonly limits: StoreLimits; readonly prekeys: MemoryPrekeys },
): DirectoryStore {
  const { lists, generations, names, nameOf, usedTickets } = state;

  const isNameFree = (account: AccountId, name: string): boolean => {
    const holder = names.get(name);
    if (holder === undefined || holder.account === account) return true;
    return holder.givenUpMs !== undefined && holder.givenUpMs + o.limits.usernameRestMs <= o.runtime.clock.now();
  };
  const giveUpName = (account: AccountId): void => {
    const name = nameOf.get(account);
    if (name === undefined) return;
    nameOf.delete(account);
    names.set(name, { account, givenUpMs: o.runtime.clock.now() });
  };
  const takeName = (account: AccountId, name: string): void => {
    if (nameOf.get(account) !== name) giveUpName(account);
    names.set(name, { account });
    nameOf.set(account, name);
  };

  const isUsed = ({ hash }: Ticket): boolean => (usedTickets.get(toText(hash)) ?? 0) > o.runtime.clock.now();
  const useUp = ({ hash, keepUntilMs }: Ticket): void => {
    for (const [used, untilMs] of usedTickets) {
      if (untilMs > o.runtime.clock.now()) break;
      usedTickets.delete(used);
    }
    usedTickets.set(toText(hash), keepUntilMs);
  };

  const register = ({ list, prekeys, usernameHash, ticket }: NewAccount) => {
    const { account, devices, version } = list.list;
    const stored = lists.get(account);
    if (stored) return sameBytes(stored.newest.signed, list.signed) ? 'same' : 'account_exists';
    if (ticket && isUsed(ticket)) return 'ticket_used';
    const name = usernameHash && toText(usernameHash);
    if (name !== undefined && !isNameFree(account, name)) return 'username_taken';
    for (const { device } of devices) {
      const answer = o.prekeys.publishNow({ account, device, addedIn: version }, prekeys);
      if (answer !== 'stored') return 'key_conflict';
    }
    lists.set(account, { newest: list });
    if (name !== undefined) takeName(account, name);
    if (ticket) useUp(ticket);
    return 'created';
  };

  const putDeviceList = (next: StoredList): PutAnswer => {
    const { account, version } = next.list;
    const stored = lists.get(account);
    if (stored === undefined) return { type: 'stale_version' };
    if (sameBytes(stored.newest.signed, next.signed)) {
      return { type: 'stored', removed: stored.before ? removedDevices(stored.before.list, next.list) : [] };
    }
    if (version !== stored.newest.list.version + 1) return { type: 'stale_version' };
    const removed = removedDevices(stored.newest.list, next.list);
    lists.set(account, { newest: next, before: stored.newest });
    for (const device of removed) {
      generations.delete(deviceKeyText(device));
      o.prekeys.forget(device);
    }
    return { type: 'stored', removed };
  };

  return {
    register: (account) => Promise.resolve(register(account)),
    deviceList: (account) => Promise.resolve(lists.get(account)?.newest),
    putDeviceList: (next) => Promise.resolve(putDeviceList(next)),
    claimGeneration(device, tokens) {
      const text = deviceKeyText(device);
      const newest = tokens.at(-1);
      if (newest === undefined || !holdsToken(generations.get(text), tokens)) return Promise.resolve('cloned');
      generations.set(text, newest);
      return Promise.resolve('accepted');
    },
    holdsGeneration: (device, tokens) => Promise.resolve(holdsToken(generations.get(deviceKeyText(device)), tokens)),
    setUsername(account, hash) {
      const name = toText(hash);
      if (!isNameFree(account, name)) return Promise.resolve('username_taken');
      takeName(account, name);
      return Promise.resolve('stored');
    },
    findUsername(hash) {
      const holder = names.get(toText(hash));
      return Promise.resolve(holder?.givenUpMs === undefined ? holder?.account : undefined);
    },
    removeUsername(account) {
      giveUpName(account);
      return Promise.resolve();
    },
  };
}

function toText(hash: Uint8Array): string {
  return Buffer.from(hash).toString('hex');
}
