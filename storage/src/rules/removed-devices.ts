import type { DeviceList } from '@waxwing/protocol';
import type { DeviceKey } from '../device-key.ts';

/** The devices of `before` that `next` no longer has; an id that came back with another device counts as removed. */
export function removedDevices(before: DeviceList, next: DeviceList): DeviceKey[] {
  const kept = new Map(next.devices.map(({ device, addedIn }) => [device, addedIn]));
  return before.devices
    .filter(({ device, addedIn }) => kept.get(device) !== addedIn)
    .map(({ device, addedIn }) => ({ account: before.account, device, addedIn }));
}
