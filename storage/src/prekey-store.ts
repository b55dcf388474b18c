import type { DeviceKey } from './device-key.ts';

export type OneTimeKey = { readonly id: number; readonly publicKey: Uint8Array };
export type SignedKey = { readonly id: number; readonly publicKey: Uint8Array; readonly signature: Uint8Array };

/** Keys that a device publishes; their signatures were verified by the caller. What is absent stays as it is. */
export type PrekeyUpload = {
  readonly signedPrekey?: SignedKey;
  readonly lastResortKyber?: SignedKey;
  readonly oneTimeKeys?: readonly OneTimeKey[];
  readonly oneTimeKyberKeys?: readonly SignedKey[];
};

/** One device's part of a bundle. `kyberKey` is a one-time key or, where none is left or none was asked for, the last resort. */
export type TakenKeys = {
  readonly signedPrekey: SignedKey;
  readonly kyberKey: SignedKey;
  readonly oneTimeKey?: OneTimeKey;
};

export type PrekeyCount = { readonly oneTimeKeys: number; readonly oneTimeKyberKeys: number };

/**
 * Prekeys of devices (I-5). A one-time key is handed out at most once, whatever runs at the same time; a crash may waste
 * one. The signed prekey and the last-resort Kyber key are always there, so a bundle never fails for want of one-time keys.
 * When the store is another incarnation than the one that a device's one-time keys were published under, they are dropped
 * when first touched: it is not known which of them were handed out.
 */
export type PrekeyStore = {
  /**
   * Adds one-time keys and replaces the others, all or nothing. The same id with the same bytes is a repeat and changes
   * nothing, also after that key was handed out; with other bytes `key_conflict`. Ids count per kind: EC one-time and
   * Kyber one-time. One-time keys beyond `oneTimeKeysPerDevice` are refused with `too_many`.
   */
  publish(device: DeviceKey, keys: PrekeyUpload): Promise<'stored' | 'key_conflict' | 'too_many'>;

  /** The keys of a bundle, or undefined for a device that never published. With `oneTime: false` no one-time key is taken. */
  take(device: DeviceKey, options: { readonly oneTime: boolean }): Promise<TakenKeys | undefined>;

  /** How many one-time keys are left to hand out. */
  count(device: DeviceKey): Promise<PrekeyCount>;

  /** The keys that are used repeatedly, for comparing with what the device holds; undefined for a device that never published. */
  repeated(device: DeviceKey): Promise<{ signedPrekey: SignedKey; lastResortKyber: SignedKey } | undefined>;
};
