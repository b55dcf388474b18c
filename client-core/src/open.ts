import { statSync } from 'node:fs';
import type { Runtime as BaseRuntime } from '@waxwing/protocol';
import { createClientOn, type Client } from './client.ts';
import { DeviceExistsError, NoDeviceError } from './errors.ts';
import type { DeviceRow } from './history/device.ts';
import { Generations } from './history/generations.ts';
import { openStore, type Store } from './history/store.ts';
import { prepareAccount, register } from './registration.ts';
import type { Runtime } from './runtime.ts';
import type { IdentityPolicy } from './sync/send-hold.ts';
import { systemRuntime } from './system-runtime.ts';
import { createKeyserverClient, deviceTokens, type KeyserverClient } from './transport/keyserver-client.ts';

/** Where a device's file is, and the 32-byte key that the app keeps for it. */
export type StoreOptions = { readonly path: string; readonly key: Uint8Array };

/** What a new account and its first device are made with. */
export type CreateOptions = {
  /** The server's origin, as `http://127.0.0.1:7700`. */
  readonly server: string | URL;
  readonly store: StoreOptions;
  /** `nick.NN`; a bare `nick` means `nick.01`. The server keeps only its hash, which can confirm a guess. */
  readonly username?: string;
  /** What a contact's changed identity key means; `accept-and-warn` where it is not given. */
  readonly identityPolicy?: IdentityPolicy;
  /**
   * Where the server asks for one: a ticket of the app's own backend, which lets one account in. Asked for at each try, also
   * of a registration that goes on: give a fresh one each time.
   */
  readonly ticket?: () => Promise<string>;
  readonly runtime?: Partial<Runtime>;
};

/** Which device is opened. */
export type OpenOptions = {
  readonly store: StoreOptions;
  /** The server's new origin, where it moved. */
  readonly server?: string | URL;
  /** What a contact's changed identity key means; `accept-and-warn` where it is not given. */
  readonly identityPolicy?: IdentityPolicy;
  readonly runtime?: Partial<Runtime>;
};

/**
 * Makes a new account with its first device in this file, or finishes a registration that was interrupted. Rejects with
 * `DeviceExistsError` on a file that has a device, with the store's errors, with `username_taken` and the like where the
 * server refuses, and with `unreachable` where it does not answer; calling again then goes on. Where registration is by
 * ticket: `ticket_missing` and `ticket_rejected` for good, `ticket_expired`, `ticket_used` and `no_ticket` until the next call.
 */
export async function createClient(options: CreateOptions): Promise<Client> {
  const runtime = { ...systemRuntime(), ...options.runtime };
  const store = openStore(options.store.path, options.store.key, { create: true });
  try {
    const server = new URL(options.server).origin;
    const existing = store.device.get();
    if (existing?.registration === null) throw new DeviceExistsError();
    const { username } = options;
    const device = existing ?? prepareAccount(store, runtime, { server, ...(username !== undefined && { username }) });
    const generations = new Generations(store, runtime.randomBytes);
    const keyserver = keyserverOf(store, runtime, device, generations);
    await register(store, runtime, keyserver, device, options.ticket);
    return createClientOn(store, runtime, device, generations, keyserver, options.identityPolicy);
  } catch (error) {
    store.close();
    throw error;
  }
}

/**
 * Opens the device in this file; needs no server. Rejects with `NoDeviceError`, `StoreKeyMismatchError`,
 * `StoreInUseError`, `StoreTooNewError`, `NotAStoreError` or `StoreDamagedError`.
 */
export function openClient(options: OpenOptions): Promise<Client> {
  return Promise.resolve().then(() => {
    const stat = statSync(options.store.path, { throwIfNoEntry: false });
    if (stat === undefined || (stat.isFile() && stat.size === 0)) throw new NoDeviceError();
    const runtime = { ...systemRuntime(), ...options.runtime };
    const store = openStore(options.store.path, options.store.key, { create: false });
    try {
      const kept = store.device.get();
      if (kept?.registration !== null) throw new NoDeviceError();
      const device = options.server === undefined ? kept : moved(store, kept, new URL(options.server).origin);
      const generations = new Generations(store, runtime.randomBytes);
      const keyserver = keyserverOf(store, runtime, device, generations);
      return createClientOn(store, runtime, device, generations, keyserver, options.identityPolicy);
    } catch (error) {
      store.close();
      throw error;
    }
  });
}

function moved(store: Store, device: DeviceRow, server: string): DeviceRow {
  if (device.server !== server) store.transaction(() => store.device.moved(server));
  return { ...device, server };
}

/** 32 random bytes: the key of a device's file. The app keeps it; without it the file cannot be read. */
export function generateStoreKey(random: BaseRuntime['randomBytes'] = systemRuntime().randomBytes): Uint8Array {
  return Uint8Array.from(random(32));
}

function keyserverOf(store: Store, runtime: Runtime, device: DeviceRow, generations: Generations): KeyserverClient {
  const { account } = device;
  return createKeyserverClient({
    server: device.server,
    http: runtime.http,
    clock: runtime.clock,
    token: deviceTokens({
      device: { account, device: device.device },
      generations: () => generations.list(),
      sign: (message) => {
        const secret = store.device.get()?.authSecretKey;
        if (!secret) throw new NoDeviceError();
        return runtime.crypto.signToken(secret, message);
      },
    }),
  });
}
