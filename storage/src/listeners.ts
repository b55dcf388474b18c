import type { AccountId, DeviceId } from '@waxwing/protocol';
import type { DeviceKey } from './device-key.ts';
import type { ArrivedEntry } from './mailbox-store.ts';

/** Who wants to know of entries for which device, in this process. */
export type Listeners = {
  /** The answer takes the listener away again; idempotent. */
  add(device: DeviceKey, wake: Wake): () => void;
  /** Whether anyone listens for a device of this account and id, whichever list added it. */
  has(account: AccountId, device: DeviceId): boolean;
  /** Wakes the device's listeners, with the entry that came if it is at hand. */
  wake(device: DeviceKey, entry?: ArrivedEntry): void;
};

type Wake = (entry?: ArrivedEntry) => void;
type Listener = { readonly device: DeviceId; readonly addedIn: number; readonly wake: Wake };

export function createListeners(): Listeners {
  const byAccount = new Map<AccountId, readonly Listener[]>();
  return {
    add({ account, device, addedIn }, wake) {
      const listener = { device, addedIn, wake };
      byAccount.set(account, [...(byAccount.get(account) ?? []), listener]);
      return () => {
        const left = (byAccount.get(account) ?? []).filter((other) => other !== listener);
        if (left.length === 0) byAccount.delete(account);
        else byAccount.set(account, left);
      };
    },
    has: (account, device) => byAccount.get(account)?.some((listener) => listener.device === device) ?? false,
    wake({ account, device, addedIn }, entry) {
      const listening = byAccount.get(account);
      if (listening === undefined) return;
      for (const listener of listening) {
        if (listener.device === device && listener.addedIn === addedIn) listener.wake(entry);
      }
    },
  };
}
