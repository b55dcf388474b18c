import type { AccountId, DeviceAddress, MessageId } from '@waxwing/protocol';
import type { ChangeBus } from './bus.ts';
import { directId } from './conversation-id.ts';
import { contentBytes, type Coverage, type DirectConversation } from './conversation.ts';
import { ClosedError } from './errors.ts';
import { createHistoryQuery } from './history-query.ts';
import type { ConversationRow } from './history/conversations.ts';
import type { Store } from './history/store.ts';
import { markRead } from './mark-read.ts';
import { messageIdOf, newMessageId } from './message-id.ts';
import type { Runtime } from './runtime.ts';
import type { SendQueue } from './send-queue.ts';
import type { SentMessage } from './sent-message.ts';

export type ConversationParts = {
  readonly store: Store;
  readonly bus: ChangeBus;
  readonly runtime: Runtime;
  readonly own: DeviceAddress;
  readonly closing: AbortSignal;
  readonly sentMessage: (id: MessageId) => SentMessage;
  readonly sends: SendQueue;
  /** Something was marked read. */
  readonly marked: () => void;
};

export function createDirectConversation(row: ConversationRow, parts: ConversationParts): DirectConversation {
  const { store, runtime, closing } = parts;
  const id = directId(row.peer);
  return {
    kind: 'direct',
    id,
    peer: row.peer,
    async send(content, options) {
      if (closing.aborted) throw new ClosedError();
      const bytes = contentBytes(content);
      const messageId = options?.id === undefined ? newMessageId(runtime) : messageIdOf(options.id);
      await parts.sends.put(row.id, messageId, bytes);
      return parts.sentMessage(messageId);
    },
    history: (options = {}) => createHistoryQuery(parts, { id: row.id, name: id, peer: row.peer }, options),
    coverage: () => Promise.resolve(coverageOf(store, row)),
    async markRead(upTo) {
      if (closing.aborted) throw new ClosedError();
      if (await markRead(parts, row.id, upTo)) parts.marked();
    },
  };
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
