import type {
  EraNumber,
  Handle,
  Mark,
  MessageId,
  Mismatch,
  Position,
  Recipient,
  Sequence,
  Entry,
  Head,
} from '@waxwing/protocol';
import type { DeviceKey } from './device-key.ts';

/** A sequenced message as the relay got it, decoded. `digest` is the SHA-256 of its body bytes. */
export type SequencedSubmit = {
  readonly sender: DeviceKey;
  readonly handle: Handle;
  readonly n: number;
  readonly attempt: number;
  readonly oldest: number;
  readonly floor?: Sequence;
  readonly changeBase?: number;
  readonly digest: Uint8Array;
  readonly change: boolean;
  readonly visible: boolean;
  readonly urgent: boolean;
  readonly recipients: readonly Recipient[];
  readonly sharedCiphertext?: Uint8Array;
};

export type SubmitResult =
  | {
      readonly type: 'accepted';
      /** Committed by an earlier call. */
      readonly duplicate: boolean;
      /** The attempt that was committed: another than the asked one if that came first. */
      readonly attempt: number;
      readonly sequence: Sequence;
      readonly predecessor?: Sequence;
      readonly serverTimeMs: number;
    }
  | { readonly type: 'mismatch'; readonly mismatches: readonly Mismatch[] }
  | { readonly type: 'stale_group'; readonly lastChange: number }
  | {
      readonly type: 'refused';
      readonly code:
        'conflict' | 'out_of_order' | 'stale_n' | 'floor_ahead' | 'bad_recipients' | 'unknown_recipient' | 'store_full';
    };

export type DirectSubmission = {
  readonly sender: DeviceKey;
  readonly messageId: MessageId;
  readonly attempt: number;
  readonly visible: boolean;
  readonly urgent: boolean;
  readonly recipients: readonly Recipient[];
};

export type DirectResult =
  | { readonly type: 'accepted'; readonly duplicate: boolean; readonly serverTimeMs: number }
  | { readonly type: 'mismatch'; readonly mismatches: readonly Mismatch[] }
  | { readonly type: 'refused'; readonly code: 'unknown_recipient' | 'store_full' };

/** An entry of a mailbox: its number in the mailbox, and the serialised Envelope. */
export type MailboxEntry = { readonly number: number; readonly envelope: Uint8Array };

/** An entry that has just come to a mailbox, and which mailbox that is. */
export type ArrivedEntry = MailboxEntry & { readonly incarnation: string };

export type MailboxPage = {
  /** In order; empty when nothing lies behind `after`. */
  readonly entries: readonly MailboxEntry[];
  /** What went from this mailbox behind `after` and was not acked, oldest first; the same until acked past. */
  readonly marks: readonly Mark[];
};

export type OpenMailbox = {
  /** 8 random bytes as base64url. */
  readonly incarnation: string;
  /** The committed position named another incarnation. */
  readonly restarted: boolean;
  /** Read behind this: the committed number, or 0 after a restart. */
  readonly after: number;
  readonly marks: readonly Mark[];
};

/**
 * Counters, entries and mailboxes.
 *
 * I-1 idempotent and ordered. A (handle, sender device, n) commits at most once, and one device's messages commit in the
 * order of n. What is remembered for this is the last n and the last `resultsRemembered` results per (handle, sender
 * device), for `counterTtlMs` after the last submit.
 * I-2 dense. A number is used up only by a committed submit; two submits never share one.
 * I-3 durable before spoken. A promise of `submit` resolves, and a listener is woken, only after the commit is durable.
 * I-4 mailbox. Append-only, numbered 1, 2, 3 …, trimmed by ack. An entry goes `mailboxTtlMs` after its commit, read or
 * not. A full mailbox never refuses a submit: its oldest entries go, leaving a mark. One sender account fills at most
 * `mailboxShareOfOneSender` of it; beyond that its own oldest go. A position names the mailbox's incarnation, drawn at
 * random when the mailbox is created, and anew when the store is another incarnation than the one that wrote it last.
 * I-6 lifetimes. A handle's counter and its memory of n live and die together; an empty mailbox resets nothing.
 * I-7 eras. A new era begins when the counter does not exist, when the floor is above the counter, or when the store is
 * another incarnation than the one that counted last. It is the present in ms or, with a clock that is behind, one of the
 * 2^20 after the last era and the floor's that the present decides, so that no two restores begin the same. The
 * predecessor of an era is the counter's last sequence, or absent (unknown) if there was no counter.
 *
 * All methods are safe to call at the same time. Time is the runtime's clock. A store that cannot write answers
 * `store_full`, and never half of a commit; once there is room it serves again by itself.
 */
export type MailboxStore = {
  /**
   * Commits a sequenced message, in these steps, in one atomic commit; the first that fails answers.
   * 1. Known n: same attempt and digest, or another attempt: `accepted`, duplicate, naming the attempt that was committed;
   *    same attempt and another digest: `conflict`. An n at or below the last without a remembered result: `stale_n`.
   * 2. Next n: the sender's last n + 1 or, where the last is unknown or lower, `oldest`; else `out_of_order`.
   * 3. Device sets: the sender's account is named with all its devices but the sending one, every other account with all
   *    of its devices and at least one, each with its registration id, by its newest list; else `mismatch`, naming every
   *    account that differs, or `unknown_recipient`, or `bad_recipients` if the sender's account is not named.
   * 4. A floor above the counter and more than `floorAheadMs` ahead of now: `floor_ahead`.
   * 5. Group base: a `changeBase` below the handle's last change: `stale_group`. A higher one, or one where no change is
   *    known, is taken.
   * Then the number, the entry and the mailboxes' envelopes. No recipient at all, or devices of the own account only, is valid.
   */
  submit(submit: SequencedSubmit): Promise<SubmitResult>;

  /**
   * Puts a message without a number into each named device's mailbox. Each device must exist with that registration id
   * (else `mismatch`, naming it in `extra` or `stale`); others of its account need not be named. Each mailbox takes one
   * (sender device, message id) once within `directDedupeMs`, whatever the attempt, also after it was acked. Resolves when all have
   * committed; `duplicate` if all had before.
   */
  submitDirect(submission: DirectSubmission): Promise<DirectResult>;

  /**
   * What a device that connects must know of its mailbox; creates it if there is none. Trims up to `committed` if that is
   * of this incarnation. A `committed` beyond the last entry says that the store has forgotten what it gave: the mailbox
   * gets another incarnation, and keeps its entries.
   */
  open(device: DeviceKey, committed?: Position): Promise<OpenMailbox>;

  /** The entries behind `after`, oldest first: at most `maxEntries`, and at most `maxBytes` of envelopes but at least one. */
  read(
    device: DeviceKey,
    after: number,
    max: { readonly entries: number; readonly bytes: number },
  ): Promise<MailboxPage>;

  /**
   * Drops the entries and marks up to `committed`. Of another incarnation it trims nothing and answers the mailbox's
   * own. The trim may reach the disk later than the answer: an entry may be read again after a crash.
   */
  ack(
    device: DeviceKey,
    committed: Position,
  ): Promise<{ type: 'trimmed' } | { type: 'restarted'; incarnation: string }>;

  /**
   * Calls back, with nothing promised about when and how often, after entries came to the device's mailbox: a hint to look
   * with `read`. Where it brings an entry, that one is durable in the mailbox and stands there as `read` would answer it;
   * whoever has read everything before it need not look.
   */
  listen(device: DeviceKey, wake: (entry?: ArrivedEntry) => void): () => void;

  /** The last sequence of each handle, in the order asked; no sequence where there is no counter. Begins no era. */
  heads(handles: readonly Handle[]): Promise<readonly Head[]>;

  /** Whose messages these numbers are, for entries still held that were sent by or to `asker`'s account; others are left out. */
  entries(handle: Handle, era: EraNumber, numbers: readonly number[], asker: DeviceKey): Promise<readonly Entry[]>;

  /** Deletes the mailbox of a device that left its list. Idempotent. */
  drop(device: DeviceKey): Promise<void>;

  /** Resolves if the store can write, else rejects: what readiness asks. */
  check(): Promise<void>;
};
