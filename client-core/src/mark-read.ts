import { limits, type MessageId } from '@waxwing/protocol';
import type { ChangeBus } from './bus.ts';
import { WaxwingError } from './errors.ts';
import type { MessageRow } from './history/message-row.ts';
import type { Store } from './history/store.ts';

/**
 * Marks what a conversation shows read, up to a message or its newest. Answers whether anything was marked. The oldest
 * goes first, a slice to a commit: what a process was killed in, or `closing` ended, is marked in part.
 */
export async function markRead(
  parts: { readonly store: Store; readonly bus: ChangeBus; readonly closing: AbortSignal },
  conversation: number,
  upTo: MessageId | undefined,
): Promise<boolean> {
  const { store, bus, closing } = parts;
  const last = lastToMark(store, conversation, upTo);
  if (last === undefined) return false;
  const slice = (): number => {
    // Asked for anew: what comes meanwhile may move it.
    const { key } = store.messages.find(last.messageId, last.party) ?? last;
    return store.transaction(() => store.readMarks.mark(conversation, key, limits.readMarkEntries));
  };
  let marked = slice();
  const isAny = marked > 0;
  while (marked === limits.readMarkEntries) {
    bus.tell({ conversations: new Set([conversation]), inbox: false });
    await new Promise((resolve) => setImmediate(resolve));
    closing.throwIfAborted();
    marked = slice();
  }
  if (isAny) bus.tell({ conversations: new Set([conversation]), inbox: false });
  return isAny;
}

/** The message to mark up to; undefined in an empty conversation. One that is on its way stands behind all. */
function lastToMark(store: Store, conversation: number, upTo: MessageId | undefined): MessageRow | undefined {
  const isPending = upTo !== undefined && store.outbox.byId(upTo)?.conversation === conversation;
  if (upTo === undefined || isPending) return store.messages.pageBefore(conversation, undefined, 1)[0];
  const row = store.messages.byId(upTo, conversation);
  if (row === undefined) throw new WaxwingError('unknown_message');
  return row;
}
