import { sameBytes, type AccountId, type DeviceAddress } from '@waxwing/protocol';
import type { ChangeBus } from './bus.ts';
import { directId } from './conversation-id.ts';
import { contentBytes, type Coverage, type DirectConversation } from './conversation.ts';
import { ClosedError, WaxwingError } from './errors.ts';
import { createHistoryQuery } from './history-query.ts';
import type { ConversationRow } from './history/conversations.ts';
import type { Store } from './history/store.ts';
import { markRead } from './mark-read.ts';
import { messageIdOf, newMessageId } from './message-id.ts';
import type { Runtime } from './runtime.ts';
import type { SentMessage } from './sent-message.ts';
import { encodeContent, type MessageId } from '@waxwing/protocol';

export type ConversationParts = {
  readonly store: Store;
  readonly bus: ChangeBus;
  readonly runtime: Runtime;
  readonly own: DeviceAddress;
  readonly closing: AbortSignal;
  readonly sentMessage: (id: MessageId) => SentMessage;
  /** Something is in the outbox. */
  readonly pump: () => void;
  /** Something was marked read. */
  readonly marked: () => void;
};

export function createDirectConversation(row: ConversationRow, parts: ConversationParts): DirectConversation {
  const { store, bus, runtime, closing } = parts;
  const id = directId(row.peer);
  return {
    kind: 'direct',
    id,
    peer: row.peer,
    send(content, options) {
      if (closing.aborted) return Promise.reject(new ClosedError());
      try {
        const bytes = contentBytes(content);
        const messageId = options?.id === undefined ? newMessageId(runtime) : messageIdOf(options.id);
        const isNew = store.transaction(() => queueOnce(store, row.id, messageId, bytes, runtime.clock.now()));
        if (isNew) {
          bus.tell({ conversations: new Set([row.id]), inbox: false });
          parts.pump();
        }
        return Promise.resolve(parts.sentMessage(messageId));
      } catch (error) {
        return Promise.reject(error instanceof Error ? error : new WaxwingError('internal', { cause: error }));
      }
    },
    history: (options = {}) => createHistoryQuery(parts, { id: row.id, name: id, peer: row.peer }, options),
    coverage: () => Promise.resolve(coverageOf(store, row)),
    async markRead(upTo) {
      if (closing.aborted) throw new ClosedError();
      if (await markRead(parts, row.id, upTo)) parts.marked();
    },
  };
}

/** Whether the message is new. The same id with the same content in the same conversation is the first one again. */
function queueOnce(
  store: Store,
  conversation: number,
  messageId: MessageId,
  content: Uint8Array,
  nowMs: number,
): boolean {
  const pending = store.outbox.byId(messageId);
  const sent = pending ? undefined : store.messages.byId(messageId);
  if (!pending && !sent) {
    store.outbox.queue(conversation, messageId, content, nowMs);
    return true;
  }
  const before =
    pending?.content ?? encodeContent({ text: sent?.text ?? '', ...(sent?.replyTo && { replyTo: sent.replyTo }) });
  const same = (pending ?? sent)?.conversation === conversation && sameBytes(before, content) && sent?.own !== false;
  if (!same) throw new WaxwingError('id_taken');
  return false;
}

function coverageOf(store: Store, row: { readonly id: number; readonly peer: AccountId }): Coverage {
  const held: Coverage['held'][number][] = [];
  const holes: Coverage['holes'][number][] = [];
  for (const { id, number: epoch } of store.conversations.epochs(row.id)) {
    for (const { era, held: ranges } of store.coverage.view(id).eras) {
      for (const { from, to } of ranges) held.push({ epoch, era, from, to });
    }
    for (const { era, from, to, reason } of store.coverage.holes(id)) {
      holes.push({ range: { epoch, era, from, to }, count: to - from + 1, reason });
    }
    for (const { fromN, toN, reason } of store.coverage.chainHoles(id)) {
      holes.push({ range: null, count: toN - fromN + 1, reason });
    }
  }
  return { held, holes };
}
