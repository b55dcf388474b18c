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
type Listener = { readonly addedIn: number; readonly wake: Wake };

export function createListeners(): Listeners {
  const byAddress = new Map<string, readonly Listener[]>();
  return {
    add({ account, device, addedIn }, wake) {
      const address = addressOf(account, device);
      const listener = { addedIn, wake };
      byAddress.set(address, [...(byAddress.get(address) ?? []), listener]);
      return () => {
        const left = (byAddress.get(address) ?? []).filter((other) => other !== listener);
        if (left.length === 0) byAddress.delete(address);
        else byAddress.set(address, left);
      };
    },
    has: (account, device) => byAddress.has(addressOf(account, device)),
    wake({ account, device, addedIn }, entry) {
      const listening = byAddress.get(addressOf(account, device));
      if (listening === undefined) return;
      for (const listener of listening) if (listener.addedIn === addedIn) listener.wake(entry);
    },
  };
}

function addressOf(account: AccountId, device: DeviceId): string {
  return `${account}.${device}`;
}
