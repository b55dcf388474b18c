import type { DirectoryStore } from './directory-store.ts';
import type { MailboxStore } from './mailbox-store.ts';
import type { PrekeyStore } from './prekey-store.ts';

/** All that a server keeps. The mailbox store checks device sets against this directory. */
export type Storage = {
  readonly directory: DirectoryStore;
  readonly prekeys: PrekeyStore;
  readonly mailboxes: MailboxStore;
  /** Finishes what was accepted, then lets go of files and threads. Idempotent. */
  close(): Promise<void>;
};
