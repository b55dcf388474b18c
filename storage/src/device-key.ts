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

/** One string per device key, fit for a Map key. */
export function deviceKeyText(key: DeviceKey): string {
  return `${key.account}.${key.device}.${key.addedIn}`;
}
