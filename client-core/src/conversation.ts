import { encodeContent, parseMessageId, type AccountId, type MessageId } from '@waxwing/protocol';
import type { ConversationId } from './conversation-id.ts';
import type { HoleReason } from './history/coverage.ts';
import type { HistoryOptions } from './history-query.ts';
import type { LiveQuery } from './live-query.ts';
import type { HistoryItem } from './message.ts';
import type { SentMessage } from './sent-message.ts';

/** What a message says: a text of at most 64 KiB, perhaps in answer to a message. */
export type OutgoingContent = { readonly text: string; readonly replyTo?: MessageId };

/** What a device holds of a conversation: exact ranges, and what is missing with its reason. */
export type Coverage = {
  readonly held: readonly {
    readonly epoch: number;
    readonly era: number;
    readonly from: number;
    readonly to: number;
  }[];
  readonly holes: readonly {
    /** Null where the numbers of the missing messages are unknown. */
    readonly range: { readonly epoch: number; readonly era: number; readonly from: number; readonly to: number } | null;
    readonly count: number;
    readonly reason: HoleReason;
  }[];
};

/** A stream of messages that its members see in one order. An object of it is cheap: ask for one whenever it is needed. */
export type Conversation = {
  readonly id: ConversationId;
  /**
   * Resolves when the message is durable in the outbox, also offline. The same `id` (a UUIDv7, or any text, which is made
   * into one) is the same message, ever: sent again with the same text it answers the first one, with another it rejects
   * with `id_taken`.
   */
  send(content: OutgoingContent, options?: { readonly id?: string }): Promise<SentMessage>;
  /** What is shown, oldest first, own pending messages last. Makes a new query at each call. */
  history(options?: HistoryOptions): LiveQuery<HistoryItem>;
  /** What this device holds, exactly, and what it lacks. */
  coverage(): Promise<Coverage>;
  /**
   * The person has seen this message and all shown before it; without one, all that is shown. Resolves when that is
   * durable, also offline: the senders' devices are told soon after, or at the next connection. It puts no message under
   * way that could be waited for. What is read stays so: marking further back, or again, changes nothing. What comes later
   * into a hole before the mark is unread. Rejects with `unknown_message` for one that this conversation does not have.
   */
  markRead(upTo?: MessageId): Promise<void>;
};

/** A conversation with one account; with the own one, notes to oneself. */
export type DirectConversation = Conversation & { readonly kind: 'direct'; readonly peer: AccountId };

/** Refuses with `too_large` what does not fit a message. */
export function contentBytes(content: OutgoingContent): Uint8Array {
  return encodeContent({ text: content.text, ...(content.replyTo && { replyTo: parseMessageId(content.replyTo) }) });
}
