/**
 * The JSON bodies of the keyserver's routes. Byte strings are base64url without padding; public keys are 33 bytes as
 * libsignal writes them; KEM public keys as libsignal writes them; signatures 64 bytes, by the identity key, as libsignal makes them.
 */
export type OneTimeKeyJson = { readonly id: number; readonly publicKey: string };
export type SignedKeyJson = { readonly id: number; readonly publicKey: string; readonly signature: string };

/** What a device publishes. What is absent stays as it is; one-time keys add to those that are there. */
export type PrekeysJson = {
  readonly signedPrekey?: SignedKeyJson;
  /** The Kyber key that is served when no one-time one is left. */
  readonly lastResortKyber?: SignedKeyJson;
  readonly oneTimeKeys?: readonly OneTimeKeyJson[];
  readonly oneTimeKyberKeys?: readonly SignedKeyJson[];
};

/** POST /v1/accounts. The list is a SignedDeviceList of version 1 with one device. */
export type RegisterJson = {
  readonly deviceList: string;
  readonly prekeys: Required<PrekeysJson>;
  readonly username?: UsernameJson;
};
export type RegisteredJson = { readonly account: string; readonly device: number; readonly listVersion: number };

/** A username by its libsignal hash (32 bytes) and proof (128 bytes). */
export type UsernameJson = { readonly hash: string; readonly proof: string };

/** POST /v1/bundles. Accounts that do not exist are left out of the answer. */
export type BundlesRequestJson = { readonly accounts: readonly string[] };
export type DeviceBundleJson = {
  readonly device: number;
  readonly registrationId: number;
  readonly signedPrekey: SignedKeyJson;
  readonly kyberKey: SignedKeyJson;
  readonly oneTimeKey?: OneTimeKeyJson;
};
export type AccountBundlesJson = {
  readonly account: string;
  /** The newest SignedDeviceList: what the devices below are checked against. */
  readonly deviceList: string;
  readonly devices: readonly DeviceBundleJson[];
};
export type BundlesJson = { readonly bundles: readonly AccountBundlesJson[] };

/** GET /v1/accounts/{id}/device-list and PUT /v1/device-list. */
export type DeviceListJson = { readonly deviceList: string };

/** GET /v1/prekeys/count */
export type PrekeyCountJson = { readonly oneTimeKeys: number; readonly oneTimeKyberKeys: number };

/**
 * POST /v1/prekeys/check: SHA-256, base64url, over the identity key, then id (4 bytes, big-endian) and public key of the
 * signed prekey and of the last-resort Kyber key.
 */
export type PrekeyCheckJson = { readonly digest: string };
export type PrekeyCheckedJson = { readonly same: boolean };

/** POST /v1/usernames/lookup */
export type UsernameLookupJson = { readonly hash: string };
export type UsernameFoundJson = { readonly account: string };

/** RFC 9457, with Waxwing's members. */
export type ProblemJson = {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly retryable: boolean;
  readonly detail?: string;
};

/** GET /.well-known/waxwing */
export type DiscoveryJson = { readonly versions: readonly number[]; readonly relay: string; readonly keys: string };
