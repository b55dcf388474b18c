import type { AccountId } from '@waxwing/protocol';
import type { ChangeBus } from './bus.ts';
import { directId, type ConversationId } from './conversation-id.ts';
import type { Store } from './history/store.ts';
import { createLiveQuery, type LiveQuery } from './live-query.ts';
import { messageOf, pendingMessage, statusReader, type Message } from './message.ts';

/** A conversation as a list shows it. */
export type ConversationSummary = {
  readonly id: ConversationId;
  readonly kind: 'direct';
  readonly peer: AccountId;
  /** The newest message, an own pending one included; absent in an empty conversation. */
  readonly lastMessage?: Message;
  /** When the newest message was taken by the relay or, pending, written; of an empty conversation, when it was made. */
  readonly activeAt: Date;
  /** How many messages of others are shown and not marked read; own sending leaves it, and a note to oneself is read. */
  readonly unread: number;
};

const PAGE = 50;

/** Every conversation, the most recently active first. */
export function createConversationsQuery(parts: {
  readonly store: Store;
  readonly bus: ChangeBus;
  readonly own: { readonly account: AccountId; readonly device: Message['fromDevice'] };
}): LiveQuery<ConversationSummary> {
  const { store, bus, own } = parts;

  function summarise({ id, peer, createdAtMs }: { id: number; peer: AccountId; createdAtMs: number }) {
    const name = directId(peer);
    const pending = store.outbox.ofConversation(id).at(-1);
    const newest = store.messages.pageBefore(id, undefined, 1)[0];
    const lastMessage = pending
      ? pendingMessage(pending, name, own.account, own.device)
      : newest && messageOf(newest, name, statusReader(store)(newest));
    const summary: ConversationSummary = {
      id: name,
      kind: 'direct',
      peer,
      activeAt: lastMessage?.serverTime ?? new Date(createdAtMs),
      unread: store.readMarks.unread(id),
      ...(lastMessage && { lastMessage }),
    };
    return summary;
  }

  return createLiveQuery({
    bus,
    pageSize: PAGE,
    concerns: ({ conversations }) => conversations.size > 0,
    read({ older }) {
      const rows = store.conversations.newest(PAGE + older + 1);
      const items = rows.slice(0, PAGE + older).map(summarise);
      return { items, hasOlder: rows.length > items.length, hasNewer: false };
    },
  });
}
