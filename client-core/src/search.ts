import { isAccountId, limits, type AccountId } from '@waxwing/protocol';
import { directId, peerOf, type ConversationId } from './conversation-id.ts';
import type { OrderKey } from './history/order-key.ts';
import type { Store } from './history/store.ts';
import { messageOf, statusReader, type Message } from './message.ts';
import { matchText, parseSearch, type SearchScope } from './search-terms.ts';
import { snippetOf, type SnippetPart } from './snippet.ts';

/** A part of a list that is read page by page. */
export type Page<T> = {
  readonly items: readonly T[];
  /** Where the next page begins: give it as `before`. Null where there is no more. A text to be kept as it is. */
  readonly before: string | null;
};

/** A message that was found. `conversation.history({ around: message.id })` shows it where it stands. */
export type SearchHit = {
  readonly message: Message;
  /** A stretch of its text around the first of what was found, on one line; an ellipsis stands where it is cut. */
  readonly snippet: readonly SnippetPart[];
};

/** Where is searched, and which page of what is found. */
export type SearchOptions = {
  /** Only in this conversation. */
  readonly conversation?: ConversationId;
  /** Only what this account wrote. */
  readonly from?: AccountId;
  /** At most so many, 20 unless given, 200 at most. */
  readonly limit?: number;
  /** What the page before gave. */
  readonly before?: string;
};

const EMPTY: Page<never> = { items: [], before: null };
const CURSOR = /^(-?\d{1,13})\.(\d{1,7})$/;

/** One page of the messages that have all the words of a query. Throws a `TypeError` for a `before` that no page gave. */
export function searchPage(store: Store, query: string, options: SearchOptions): Page<SearchHit> {
  const before = options.before === undefined ? undefined : parseCursor(options.before);
  const limit = Math.min(options.limit ?? limits.searchHitsDefault, limits.searchHitsMax);
  const terms = parseSearch(query, (text) => store.search.tokens(text));
  const scope = scopeOf(store, options);
  if (terms.length === 0 || scope === undefined || !(limit >= 1)) return EMPTY;
  const rows = store.search.find(matchText(terms, scope), before, Math.floor(limit) + 1);
  const shown = rows.slice(0, Math.floor(limit));
  const statusOf = statusReader(store);
  const last = shown.length < rows.length ? shown.at(-1) : undefined;
  return {
    items: shown.map(({ message, marked }) => ({
      message: messageOf(message, nameOf(store, message.conversation, message.from), statusOf(message)),
      snippet: snippetOf(message.text ?? '', marked),
    })),
    before: last ? `${last.message.key.ms}.${last.message.key.tie}` : null,
  };
}

/** Undefined where nothing can be found: there is no such conversation, or the account never wrote. */
function scopeOf(store: Store, { conversation, from }: SearchOptions): SearchScope | undefined {
  const peer = conversation === undefined ? undefined : peerIn(conversation);
  const row = peer && store.conversations.byPeer(peer);
  if (conversation !== undefined && row === undefined) return undefined;
  const parties = from === undefined ? undefined : store.parties.ofAccount(from);
  if (parties?.length === 0) return undefined;
  return { ...(row && { conversation: row.id }), ...(parties && { parties }) };
}

function peerIn(conversation: ConversationId): AccountId | undefined {
  return isAccountId(conversation.replace(/^direct:/, '')) ? peerOf(conversation) : undefined;
}

function nameOf(store: Store, conversation: number, from: AccountId): ConversationId {
  return directId(store.conversations.byId(conversation)?.peer ?? from);
}

function parseCursor(cursor: string): OrderKey {
  const [, ms, tie] = CURSOR.exec(cursor) ?? [];
  if (ms === undefined || tie === undefined) throw new TypeError('before is not what a page gave');
  return { ms: Number(ms), tie: Number(tie) };
}
