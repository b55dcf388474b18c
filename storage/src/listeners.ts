import { deviceKeyText, type DeviceKey } from './device-key.ts';

/** Who wants to know of entries for which device, in this process. */
export type Listeners = {
  /** The answer takes the listener away again; idempotent. */
  add(device: DeviceKey, wake: () => void): () => void;
  /** Wakes the listeners of these devices, by `deviceKeyText`. */
  wake(devices: Iterable<string>): void;
};

export function createListeners(): Listeners {
  const byDevice = new Map<string, Set<{ readonly wake: () => void }>>();
  return {
    add(device, wake) {
      const text = deviceKeyText(device);
      const listener = { wake };
      const listening = byDevice.get(text) ?? new Set();
      byDevice.set(text, listening.add(listener));
      return () => {
        listening.delete(listener);
        if (listening.size === 0 && byDevice.get(text) === listening) byDevice.delete(text);
      };
    },
    wake(devices) {
      for (const device of devices) for (const { wake } of [...(byDevice.get(device) ?? [])]) wake();
    },
  };
}
