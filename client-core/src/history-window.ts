import type { ConversationId } from './conversation-id.ts';
import type { MessageRow } from './history/message-row.ts';
import { lastKey, rowIdOf, type OrderKey } from './history/order-key.ts';
import type { Store } from './history/store.ts';
import { messageOf, statusReader, type HistoryItem } from './message.ts';

/** A message of a window, under the id of its row. */
export type ShownMessage = { readonly id: string; readonly row: MessageRow; readonly item: HistoryItem };

/** Messages that stand next to each other, oldest first, and whether there are more on either side. */
export type MessageWindow = {
  readonly shown: readonly ShownMessage[];
  readonly hasOlder: boolean;
  readonly hasNewer: boolean;
};

/** How many messages before the anchor, and how many from it on. */
type Width = { readonly older: number; readonly newer: number };

/** What stands on one side of the anchor, away from it. */
type Side = { readonly shown: readonly ShownMessage[]; readonly hasMore: boolean };

const NOTHING: Side = { shown: [], hasMore: false };

/**
 * Reads a stretch of a conversation's messages again and again, as it widens and as the file changes. What it read before
 * it reads again only by its row ids: a page costs what it adds, and a change what it changes. A message that is as it
 * was is the same object.
 */
export class WindowReader {
  readonly #store: Store;
  readonly #conversation: { readonly id: number; readonly name: ConversationId };
  readonly #anchor: OrderKey | undefined;
  #sides: { older: Side; newer: Side } = { older: NOTHING, newer: NOTHING };
  #moves = -1;

  /** Without an anchor all of the conversation stands before it. */
  constructor(store: Store, conversation: { id: number; name: ConversationId }, anchor: OrderKey | undefined) {
    this.#store = store;
    this.#conversation = conversation;
    this.#anchor = anchor;
  }

  /** `isFresh`: nothing has changed in the file since the last reading. */
  read({ older, newer }: Width, isFresh: boolean): MessageWindow {
    const from = rowIdOf(this.#anchor ?? lastKey);
    const sides = {
      older: this.#read('older', from, older, isFresh),
      // The anchor itself stands on its newer side.
      newer: this.#anchor ? this.#read('newer', (BigInt(from) - 1n).toString(), newer, isFresh) : NOTHING,
    };
    this.#sides = sides;
    this.#moves = this.#store.messages.moves;
    return {
      shown: [...sides.older.shown].reverse().concat(sides.newer.shown),
      hasOlder: sides.older.hasMore,
      hasNewer: sides.newer.hasMore,
    };
  }

  #read(side: 'older' | 'newer', from: string, width: number, isFresh: boolean): Side {
    const { messages } = this.#store;
    const { shown: before } = this.#sides[side];
    const kept = isFresh && this.#moves === messages.moves && before.length <= width ? before : [];
    const start = kept.at(-1)?.id ?? from;
    const ids = messages.rowIds(this.#conversation.id, side, start, width - kept.length + 1);
    const hasMore = ids.length > width - kept.length;
    if (hasMore) ids.pop();
    const known = new Map(this.#moves === messages.moves ? before.map((one) => [one.id, one]) : []);
    const rows = this.#rowsOf(ids, side, (id) => known.has(id));
    const statusOf = statusReader(this.#store);
    const added = ids.flatMap((id): ShownMessage[] => {
      const was = known.get(id);
      const row = was?.row ?? rows.get(id);
      if (row === undefined) return [];
      const status = statusOf(row);
      const isSame = was?.item.kind === 'message' && was.item.status.state === status.state;
      if (was && isSame) return [was];
      return [{ id, row, item: { kind: 'message', ...messageOf(row, this.#conversation.name, status) } }];
    });
    return { shown: kept.length === 0 ? added : [...kept, ...added], hasMore };
  }

  /** The rows that are not known, by their ids: each run of them that stands together is read at once. */
  #rowsOf(
    ids: readonly string[],
    side: 'older' | 'newer',
    isKnown: (id: string) => boolean,
  ): ReadonlyMap<string, MessageRow> {
    const rows = new Map<string, MessageRow>();
    for (let from = 0; from < ids.length; from += 1) {
      let end = from;
      for (let id = ids[end]; id !== undefined && !isKnown(id); id = ids[end]) end += 1;
      const [nearest, farthest] = [ids[from], ids[end - 1]];
      if (nearest === undefined || farthest === undefined || end === from) continue;
      const [first, last] = side === 'older' ? [farthest, nearest] : [nearest, farthest];
      for (const row of this.#store.messages.between(this.#conversation.id, first, last)) {
        rows.set(rowIdOf(row.key), row);
      }
      from = end;
    }
    return rows;
  }
}
