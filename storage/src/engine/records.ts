import type { AccountId, EraNumber, Handle, Mark, MessageId } from '@waxwing/protocol';
import { deviceKeyText, type DeviceKey } from '../device-key.ts';
import type { Counter, SenderMemory } from '../rules/counter.ts';
import type { Fill } from '../rules/quota.ts';

/** Whose message a number is, for 24 h. */
export type HeldEntry = {
  readonly sender: DeviceKey;
  readonly n: number;
  readonly accounts: readonly AccountId[];
  readonly committedMs: number;
};

/** A mailbox without its entries. Values are never changed, but replaced. */
export type Mailbox = {
  readonly incarnation: string;
  /** The incarnation of the store that drew the mailbox's own. */
  readonly drawnUnder: string;
  /** Everything up to here was acked. */
  readonly acked: number;
  /** No entry is left up to here: acked, expired or over quota. At least `acked`. */
  readonly gone: number;
  /** The number of the last entry, 0 before the first. */
  readonly last: number;
  readonly fill: Fill;
  readonly marks: readonly Mark[];
  /** The oldest entry is not older than this. */
  readonly oldestMs: number;
  /** Entries up to here count as committed at `ms` at the latest: the clock was set back behind the date they bear. */
  readonly redated?: { readonly upTo: number; readonly ms: number };
};

/** What one sender account fills of a mailbox; none of its entries is before `first`. */
export type Share = { readonly fill: Fill; readonly first: number };

export type MailboxRow = {
  readonly number: number;
  readonly sender: AccountId;
  readonly committedMs: number;
  readonly envelope: Uint8Array;
};

/** A row without its envelope. */
export type RowHead = Omit<MailboxRow, 'envelope'> & { readonly bytes: number };

/** Values by key. `undefined` is a key that has none. */
export type Table<Key, Value> = {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): void;
  delete(key: Key): void;
};

/** The entries of mailboxes, by number. */
export type Rows = {
  append(device: DeviceKey, row: MailboxRow): void;
  /** From `from` on, upwards, and not beyond `upTo` if that is given. The caller may delete the one it was given last. */
  heads(device: DeviceKey, from: number, upTo?: number): Iterable<RowHead>;
  read(device: DeviceKey, after: number): Iterable<MailboxRow>;
  delete(device: DeviceKey, number: number): void;
  deleteUpTo(device: DeviceKey, upTo: number): void;
  /** Deletes all: a mailbox of this device that begins later counts from 1 again. */
  drop(device: DeviceKey): void;
};

export type EntryKey = { readonly handle: Handle; readonly era: EraNumber; readonly number: number };
export type MemoryKey = { readonly handle: Handle; readonly sender: DeviceKey };
export type ShareKey = { readonly device: DeviceKey; readonly sender: AccountId };
export type SeenKey = { readonly device: DeviceKey; readonly sender: DeviceKey; readonly messageId: MessageId };

/** The state of a relay's store, as records. What is past its lifetime may still be there: whoever reads it looks. */
export type Records = {
  readonly counters: Table<Handle, Counter>;
  readonly memories: Table<MemoryKey, SenderMemory>;
  readonly entries: Omit<Table<EntryKey, HeldEntry>, 'delete'>;
  readonly mailboxes: Table<DeviceKey, Mailbox>;
  readonly shares: Table<ShareKey, Share>;
  /** When a mailbox took a direct message. */
  readonly seen: Table<SeenKey, number>;
  readonly rows: Rows;
};

/** One string per key, fit for a Map. */
export const keyText = {
  entry: ({ handle, era, number }: EntryKey) => `${handle}.${era}.${number}`,
  memory: ({ handle, sender }: MemoryKey) => `${handle}.${deviceKeyText(sender)}`,
  share: ({ device, sender }: ShareKey) => `${deviceKeyText(device)}.${sender}`,
  seen: ({ device, sender, messageId }: SeenKey) => `${deviceKeyText(device)}.${deviceKeyText(sender)}.${messageId}`,
} as const;
