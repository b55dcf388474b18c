import type { ConversationId, DirectConversation, HistoryItem, MessageId, QuerySnapshot } from '@waxwing/client-core';
import { inOneLine } from '../../failure.ts';
import { textOf, withText } from './input-line.ts';
import type { ChatState, OpenConversation } from './state.ts';

/** Another conversation opens: what was being typed stays with the one before. */
export function opened(
  state: ChatState,
  { id, peer }: Pick<DirectConversation, 'id' | 'peer'>,
  found?: MessageId,
): ChatState {
  const drafts = new Map(state.drafts);
  if (state.open) drafts.set(state.open.id, textOf(state.input));
  return {
    ...state,
    drafts,
    open: { ...emptyConversation(id, peer), found },
    input: withText(state.input, state.open && state.open.id !== id ? (drafts.get(id) ?? '') : textOf(state.input)),
    notice: undefined,
    page: undefined,
  };
}

function emptyConversation(id: ConversationId, peer: DirectConversation['peer']): OpenConversation {
  return {
    id,
    peer,
    items: [],
    hasOlder: false,
    hasNewer: false,
    anchor: undefined,
    seen: new Set(),
    late: new Map(),
    newestSeen: undefined,
    found: undefined,
    problem: undefined,
  };
}

/** How many items behind one that was found are seen with it. */
const BELOW_FOUND = 3;

/**
 * What the history is now. A message of the other that was not there and stands above one that was, and below another,
 * came late; those that stand above all were only loaded.
 */
export function historyCame(state: ChatState, now: QuerySnapshot<HistoryItem>): ChatState {
  const { open } = state;
  if (!open) return state;
  if (now.state === 'error') return { ...state, open: { ...open, problem: inOneLine(now.error) } };
  const { items, hasOlder, hasNewer } = now;
  const known = items.map(({ id }) => open.seen.has(id));
  const [first, last] = [known.indexOf(true), lastSequenced(items, known)];
  const late = new Map(open.late);
  for (const [index, item] of items.entries()) {
    const isNew = item.kind === 'message' && item.from === open.peer && !open.seen.has(item.id);
    if (isNew && index > first && index < last) late.set(item.id, state.now);
  }
  const seen = new Set(items.flatMap((item) => (item.kind === 'message' ? [item.id] : [])));
  // What was found is seen from the first, with some of what follows it.
  const at = open.seen.size === 0 && open.found !== undefined ? items.findIndex(({ id }) => id === open.found) : -1;
  const below = items[Math.min(at + BELOW_FOUND, items.length - 1)];
  const isBack = at >= 0 && below && (hasNewer || below.id !== items.at(-1)?.id);
  const anchor = isBack ? { id: below.id, index: items.indexOf(below), hidden: 0 } : open.anchor;
  const newestSeen = anchor === undefined ? items.at(-1)?.id : open.newestSeen;
  return { ...state, open: { ...open, anchor, items, hasOlder, hasNewer, late, seen, newestSeen, problem: undefined } };
}

/** The last place of a message that was there and has its place for good. */
function lastSequenced(items: readonly HistoryItem[], known: readonly boolean[]): number {
  return items.findLastIndex((item, index) => known[index] && item.kind === 'message' && item.sequence !== null);
}

/** Whether the newest of the open conversation is seen, and something in it was not said to be read. */
export function isToBeRead({ open, page, conversations }: ChatState): boolean {
  if (!open || page || open.anchor || open.hasNewer || open.items.length === 0) return false;
  return conversations.some(({ id, unread }) => id === open.id && unread > 0);
}
