import { deviceKeyText, type DeviceKey } from '@waxwing/storage';

/** One connection per device, on this gateway. `id` grows with every connection that was accepted. */
export type Registered = { readonly id: number; displace(): void };

export type Registry<C extends Registered> = {
  /**
   * Makes this the device's connection and displaces an older one. False if a newer one is already there: which of two
   * connections is the newer was decided when they came, not by which of them authenticated faster.
   */
  admit(device: DeviceKey, connection: C): boolean;
  find(device: DeviceKey): C | undefined;
  /** Forgets the connection if it is still the device's. */
  remove(device: DeviceKey, connection: C): void;
};

export function createRegistry<C extends Registered>(): Registry<C> {
  const connections = new Map<string, C>();
  return {
    admit(device, connection) {
      const key = deviceKeyText(device);
      const other = connections.get(key);
      if (other && other.id > connection.id) return false;
      connections.set(key, connection);
      other?.displace();
      return true;
    },
    find: (device) => connections.get(deviceKeyText(device)),
    remove(device, connection) {
      const key = deviceKeyText(device);
      if (connections.get(key) === connection) connections.delete(key);
    },
  };
}
