import type { ConversationId, DirectConversation, HistoryItem, QuerySnapshot } from '@waxwing/client-core';
import { inOneLine } from '../../failure.ts';
import { textOf, withText } from './input-line.ts';
import type { ChatState, OpenConversation } from './state.ts';

/** Another conversation opens: what was being typed stays with the one before. */
export function opened(state: ChatState, { id, peer }: Pick<DirectConversation, 'id' | 'peer'>): ChatState {
  const drafts = new Map(state.drafts);
  if (state.open) drafts.set(state.open.id, textOf(state.input));
  return {
    ...state,
    drafts,
    open: emptyConversation(id, peer),
    input: withText(state.input, state.open ? (drafts.get(id) ?? '') : textOf(state.input)),
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
    readUpTo: undefined,
    problem: undefined,
  };
}

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
  const newestSeen = open.anchor === undefined ? items.at(-1)?.id : open.newestSeen;
  return { ...state, open: { ...open, items, hasOlder, hasNewer, late, seen, newestSeen, problem: undefined } };
}

/** The last place of a message that was there and has its place for good. */
function lastSequenced(items: readonly HistoryItem[], known: readonly boolean[]): number {
  return items.findLastIndex((item, index) => known[index] && item.kind === 'message' && item.sequence !== null);
}
