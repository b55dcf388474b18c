import type { AccountId, DeviceId } from '@waxwing/protocol';

/**
 * A device as the stores know it. A device id may return later with another device behind it, so the list version that
 * added the device is part of every key.
 */
export type DeviceKey = { readonly account: AccountId; readonly device: DeviceId; readonly addedIn: number };

/** Whether both are the same device. */
export function isSameDevice(a: DeviceKey, b: DeviceKey): boolean {
  return a === b || (a.account === b.account && a.device === b.device && a.addedIn === b.addedIn);
}

let last: { readonly key: DeviceKey; readonly text: string } | undefined;

/** One string per device key, fit for a Map key. Made once where it is asked for several times in a row. */
export function deviceKeyText(key: DeviceKey): string {
  if (last && isSameDevice(last.key, key)) return last.text;
  const text = `${key.account}.${key.device}.${key.addedIn}`;
  last = { key, text };
  return text;
}
