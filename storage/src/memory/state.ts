import type { AccountId, RandomBytes } from '@waxwing/protocol';
import type { StoredList } from '../directory-store.ts';
import type { DeviceKey } from '../device-key.ts';
import type { SignedKey } from '../prekey-store.ts';
import { createRelayData, type RelayData } from './records.ts';

/** One kind of one-time keys of a device: what is left, in the order of publishing, and the hashes of what was handed out. */
export type Pool<Key> = { readonly left: Map<number, Key>; readonly gone: Map<number, Uint8Array> };

export type DevicePrekeys = {
  readonly device: DeviceKey;
  signedPrekey?: SignedKey;
  lastResortKyber?: SignedKey;
  readonly oneTimeKeys: Pool<{ readonly id: number; readonly publicKey: Uint8Array }>;
  readonly oneTimeKyberKeys: Pool<SignedKey>;
  /** The incarnation of the store under which the one-time keys were published. */
  publishedUnder: string;
};

/** A username's hash, as hex, with the account that has it or gave it up. */
export type NameHolder = { readonly account: AccountId; readonly givenUpMs?: number };

export type DirectoryState = {
  readonly lists: Map<AccountId, { readonly newest: StoredList; readonly before?: StoredList }>;
  /** By `deviceKeyText`. */
  readonly generations: Map<string, Uint8Array>;
  readonly prekeys: Map<string, DevicePrekeys>;
  readonly names: Map<string, NameHolder>;
  readonly nameOf: Map<AccountId, string>;
  /** Hashes of used tickets, as hex, with the time when each may be forgotten; in the order of use. */
  readonly usedTickets: Map<string, number>;
};

export type RelayState = { readonly incarnation: string; readonly data: RelayData };

export function createDirectoryState(): DirectoryState {
  return {
    lists: new Map(),
    generations: new Map(),
    prekeys: new Map(),
    names: new Map(),
    nameOf: new Map(),
    usedTickets: new Map(),
  };
}

/** A relay's state under a new incarnation, empty or with the data of an earlier one. */
export function createRelayState(randomBytes: RandomBytes, data: RelayData = createRelayData()): RelayState {
  return { incarnation: Buffer.from(randomBytes(16)).toString('base64url'), data };
}
