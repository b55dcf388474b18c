import type {
  AccountId,
  CiphertextKind,
  DeviceAddress,
  DeviceBundleJson,
  PrekeysJson,
  UsernameJson,
} from '@waxwing/protocol';

/**
 * What the crypto keeps between calls, each entry opaque bytes under a text key. A prekey's key is its id; a
 * `used_base_key`'s begins with the id of its last-resort key and a dot.
 */
export type CryptoKind = 'session' | 'prekey' | 'signed_prekey' | 'kyber_prekey' | 'used_base_key';

/** The entries as they stand for this call. A synchronous read: nothing else changes them while a call runs. */
export type CryptoView = {
  /** Undefined where there is no such entry. */
  get(kind: CryptoKind, key: string): Uint8Array | undefined;
};

/** One entry written, or removed where `bytes` is absent. */
export type CryptoChange = { readonly kind: CryptoKind; readonly key: string; readonly bytes?: Uint8Array };

/** This device's secrets, as its file keeps them. */
export type LocalKeys = {
  readonly address: DeviceAddress;
  readonly registrationId: number;
  /** The identity key pair, as the crypto serialised it. */
  readonly identityKeyPair: Uint8Array;
};

/** A device to talk to, with the identity key of its account's verified list: the only key that is trusted for it. */
export type Peer = {
  readonly address: DeviceAddress;
  readonly identityKey: Uint8Array;
  /** The account's key before, while mail in sessions with it is still read. Nothing is begun or encrypted under it. */
  readonly formerKey?: Uint8Array;
};

/** An account as it takes part in a safety number. */
export type PublicIdentity = { readonly account: AccountId; readonly identityKey: Uint8Array };

/** 60 decimal digits, the same on both sides, and bytes for the other side to scan. */
export type NumericFingerprint = { readonly digits: string; readonly scannable: Uint8Array };

/** Why a ciphertext could not be read. `duplicate` also means older than the ratchet's skipped keys reach. */
export type DecryptFailure =
  'no_session' | 'no_prekey' | 'duplicate' | 'untrusted_identity' | 'replayed_prekey' | 'unsupported_kind' | 'invalid';

/** What became of a ciphertext. */
export type Decrypted =
  | { readonly type: 'decrypted'; readonly plaintext: Uint8Array; readonly changes: readonly CryptoChange[] }
  | { readonly type: 'failed'; readonly reason: DecryptFailure };

/** What became of a plaintext. `no_session`: one must be started first. */
export type Encrypted =
  | {
      readonly type: 'encrypted';
      readonly kind: CiphertextKind;
      readonly ciphertext: Uint8Array;
      readonly changes: readonly CryptoChange[];
    }
  | { readonly type: 'no_session' };

/** What became of a bundle. */
export type SessionStarted =
  | { readonly type: 'started'; readonly changes: readonly CryptoChange[] }
  | { readonly type: 'refused'; readonly reason: 'untrusted_identity' | 'bad_bundle' };

/** Ed25519 keys of a device's tokens. */
export type AuthKeys = { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array };

/**
 * The crypto port: snapshot in, changes out, over bytes. Nothing is kept between calls, so that a caller may drop the
 * changes of one call and go on from the view before it. Calls on one device must not overlap.
 */
export type Crypto = {
  /** A fresh identity: the serialised pair, and the 33-byte public key of device lists (top bit clear). */
  createIdentity(): { keyPair: Uint8Array; publicKey: Uint8Array };
  /** A registration id, 1 to 0x3FFF. */
  createRegistrationId(): number;
  /** New keys for a device's tokens. */
  createAuthKeys(): AuthKeys;
  /** Ed25519 over the message by the auth key's secret: 64 bytes. */
  signToken(secretKey: Uint8Array, message: Uint8Array): Uint8Array;

  /** XEdDSA by the identity key: 64 bytes. */
  signIdentity(keyPair: Uint8Array, message: Uint8Array): Uint8Array;
  /** Whether `signIdentity` made this signature with that key's pair. */
  verifyIdentity(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** X25519 of an identity pair and another's public key, which may be its own: 32 bytes. Undefined for a key that must not be used. */
  agree(keyPair: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined;
  /** HKDF-SHA256 without salt. */
  derive(secret: Uint8Array, info: Uint8Array, length: number): Uint8Array;
  /** What two accounts compare to know that nobody stands between them. The keys are those of verified lists. */
  fingerprint(own: PublicIdentity, peer: PublicIdentity): NumericFingerprint;
  /** Whether bytes that were scanned are the other side's of this one; false too for bytes that are none. */
  isOtherSide(scannable: Uint8Array, shown: Uint8Array): boolean;

  /** New one-time keys of both kinds, `count` each, under ids from `firstId` up. */
  createOneTimeKeys(
    local: LocalKeys,
    firstId: number,
    count: number,
    nowMs: number,
  ): { changes: CryptoChange[]; upload: Required<Pick<PrekeysJson, 'oneTimeKeys' | 'oneTimeKyberKeys'>> };
  /** A new signed prekey and last-resort Kyber key under this id. */
  createRepeatedKeys(
    local: LocalKeys,
    id: number,
    nowMs: number,
  ): { changes: CryptoChange[]; upload: Required<Pick<PrekeysJson, 'signedPrekey' | 'lastResortKyber'>> };

  /** Whether a message can be encrypted now: in a session between the identity keys that both sides have now. */
  hasSession(local: LocalKeys, view: CryptoView, peer: Peer, nowMs: number): boolean;
  /** Sets a session up from a bundle whose device was checked against the verified list. */
  startSession(
    local: LocalKeys,
    view: CryptoView,
    peer: Peer,
    bundle: DeviceBundleJson,
    nowMs: number,
  ): Promise<SessionStarted>;
  /** The current session becomes one that only reads; the next message needs a new one. */
  archiveSession(view: CryptoView, peer: DeviceAddress): CryptoChange[];
  /** Encrypts for one device, in the session with it, which goes one step on. */
  encrypt(local: LocalKeys, view: CryptoView, peer: Peer, plaintext: Uint8Array, nowMs: number): Promise<Encrypted>;
  /**
   * Reads a ciphertext; in a session that exists also one under the peer's former key. A one-time key that set the session up is removed among the changes; a base key that used the
   * last-resort key is remembered among them and refused when it comes again (`replayed_prekey`).
   */
  decrypt(
    local: LocalKeys,
    view: CryptoView,
    peer: Peer,
    kind: CiphertextKind,
    ciphertext: Uint8Array,
  ): Promise<Decrypted>;

  /** The hash and proof of a username `nick.NN`. Undefined for a name that cannot be one. */
  usernameProof(username: string): UsernameJson | undefined;
};
