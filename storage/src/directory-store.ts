import type { AccountId, DeviceList } from '@waxwing/protocol';
import type { DeviceKey } from './device-key.ts';
import type { PrekeyUpload } from './prekey-store.ts';

/** An account's newest device list: the bytes of its SignedDeviceList, and what they say. */
export type StoredList = { readonly signed: Uint8Array; readonly list: DeviceList };

export type NewAccount = {
  /** Version 1, with one device. Verified by the caller. */
  readonly list: StoredList;
  readonly prekeys: PrekeyUpload;
  /** libsignal's username hash, 32 bytes. Its proof was verified by the caller. */
  readonly usernameHash?: Uint8Array;
  /** The ticket that lets it in, where one is asked for. Verified by the caller. */
  readonly ticket?: Ticket;
};

/** What a store keeps of a ticket: nothing that says whose it is. */
export type Ticket = {
  /** 32 bytes: a hash of the ticket's issuer and id. */
  readonly hash: Uint8Array;
  /** From then on the ticket is refused for its age: that it was used may be forgotten. */
  readonly keepUntilMs: number;
};

/**
 * Accounts, signed device lists, generations and usernames. Every method is atomic and durable when it resolves, and
 * may be repeated with the same arguments after a lost answer.
 *
 * The newest list is the only truth about devices: nothing else adds or removes one.
 */
export type DirectoryStore = {
  /**
   * Creates the account with its list, first device, prekeys and username, all or nothing. `same` if the account is
   * there with these very list bytes: an earlier try had succeeded, and nothing is changed, whatever ticket came with it.
   * A ticket is used up by `created` alone, and lets in one account until its `keepUntilMs`: another is `ticket_used`.
   */
  register(
    account: NewAccount,
  ): Promise<'created' | 'same' | 'account_exists' | 'ticket_used' | 'username_taken' | 'key_conflict'>;

  /** The newest list, or undefined for an account that does not exist. */
  deviceList(account: AccountId): Promise<StoredList | undefined>;

  /**
   * Stores `next` if its version is the stored one plus 1; the caller has verified that it follows the stored one, whose
   * hash `next` names, so a list between them shows as `stale_version`. In the same transaction, generations and prekeys
   * of removed devices go. `removed` is derived from the two lists and so is the same when repeated: the caller drops
   * mailboxes and connections from it. Repeating a stored list answers `stored`.
   */
  putDeviceList(
    next: StoredList,
  ): Promise<{ type: 'stored'; removed: readonly DeviceKey[] } | { type: 'stale_version' }>;

  /**
   * The clone guard. Accepts if the device's stored token is among `tokens` or none is stored, and then stores the last
   * of them, atomically; else `cloned`, storing nothing. Tokens are 16 bytes, oldest first. A store opened as restored
   * has none: what it held may be older than what an honest device was last told.
   */
  claimGeneration(device: DeviceKey, tokens: readonly Uint8Array[]): Promise<'accepted' | 'cloned'>;

  /** Whether the stored token is among `tokens`, or none is stored. Stores nothing. */
  holdsGeneration(device: DeviceKey, tokens: readonly Uint8Array[]): Promise<boolean>;

  /**
   * Gives the account this username hash in place of the one it had. A hash that another account gave up is held back
   * for `usernameRestMs`, but not from the account that gave it up.
   */
  setUsername(account: AccountId, hash: Uint8Array): Promise<'stored' | 'username_taken'>;

  /** The account whose username has this hash, or undefined. */
  findUsername(hash: Uint8Array): Promise<AccountId | undefined>;

  /** Gives the account's username up, if it has one. */
  removeUsername(account: AccountId): Promise<void>;
};
