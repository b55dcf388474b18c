import type { MessageId } from '@waxwing/protocol';
import type { Store } from '../../client-core/src/history/store.ts';

/** One shown message of a conversation, as far as it never changes. */
type Item = { readonly own: boolean; readonly messageId: MessageId };
type Known = { moves: number; readonly items: Map<string, Item> };

/** More than a conversation has. */
const ALL = 100_000;

/** What each open store was read for: a row's id is the same message's while `moves` is the same. */
const known = new WeakMap<Store, Map<number, Known>>();

/** The shown messages of a conversation, oldest first. Asked for again, only those that are new are read. */
export function shownList(store: Store, conversation: number): readonly Item[] {
  const ids = store.messages.rowIds(conversation, 'newer', '0', ALL);
  const items = itemsOf(store, conversation);
  for (let at = 0; at < ids.length; at += 1) {
    if (items.has(ids[at] ?? '')) continue;
    const from = at;
    while (at + 1 < ids.length && !items.has(ids[at + 1] ?? '')) at += 1;
    const rows = store.messages.between(conversation, ids[from] ?? '', ids[at] ?? '');
    for (const [index, { own, messageId }] of rows.entries()) items.set(ids[from + index] ?? '', { own, messageId });
  }
  return ids.flatMap((id) => items.get(id) ?? []);
}

function itemsOf(store: Store, conversation: number): Map<string, Item> {
  const all = known.get(store) ?? new Map<number, Known>();
  known.set(store, all);
  const { moves } = store.messages;
  const one = all.get(conversation);
  if (one?.moves === moves) return one.items;
  const items = new Map<string, Item>();
  all.set(conversation, { moves, items });
  return items;
}
