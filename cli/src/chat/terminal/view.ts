import type { HistoryItem, Message } from '@waxwing/client-core';
import { cells } from '../cells.ts';
import { beginsDay, itemRows, type Ink } from './item-rows.ts';
import type { Row } from './row.ts';
import type { Anchor, OpenConversation, Setting } from './state.ts';

/** What is seen of a conversation. */
export type View = {
  /** At most as many as there is room for. */
  readonly rows: readonly Row[];
  /** The first row of what is loaded is among them. */
  readonly isAtTop: boolean;
};

const MOST_NAME_COLUMNS = 12;

export function inkOf(open: OpenConversation, { people, colour }: Setting, columns: number): Ink {
  const nameColumns = Math.max(2, Math.min(MOST_NAME_COLUMNS, cells(people.nameOf(open.peer))));
  return { people, colour, columns, nameColumns };
}

/** The rows that are seen, worked out from the last one up, so that a long history costs no more than what is seen of it. */
export function viewOf(open: OpenConversation, ink: Ink, height: number): View {
  const rows: Row[] = [];
  const end = placeOf(open);
  let index = end.index;
  for (let hidden = end.hidden; index >= 0 && rows.length < height; index -= 1, hidden = 0) {
    const all = rowsAt(open, index, ink);
    rows.unshift(...all.slice(0, Math.max(0, all.length - hidden)));
  }
  return { rows: rows.slice(-height), isAtTop: index < 0 && rows.length <= height };
}

/**
 * The conversation with its end moved by so many rows, up if positive. It does not go above the first row that is loaded,
 * and below the last it stays at the end.
 */
export function scrolled(open: OpenConversation, ink: Ink, height: number, by: number): OpenConversation {
  let { index, hidden } = placeOf(open);
  let left = Math.abs(by);
  if (by > 0) {
    left = Math.min(left, rowsAbove(open, ink, { index, hidden }, height + left) - height);
    if (left <= 0) return open;
    for (; ; index -= 1, hidden = 0) {
      const room = Math.max(0, rowsAt(open, index, ink).length - hidden);
      if (left < room) return { ...open, anchor: anchorAt(open, index, hidden + left) };
      left -= room;
    }
  }
  for (; left > 0 && index < open.items.length; left -= 1) {
    if (hidden > 0) hidden -= 1;
    else {
      index += 1;
      hidden = index < open.items.length ? rowsAt(open, index, ink).length - 1 : 0;
    }
  }
  const isEnd = index >= open.items.length || (index === open.items.length - 1 && hidden === 0);
  return { ...open, anchor: isEnd ? undefined : anchorAt(open, index, hidden) };
}

/** How many messages of the other came since the end was seen last. */
export function newBelow({ items, newestSeen, anchor, peer }: OpenConversation): number {
  if (anchor === undefined) return 0;
  const from = items.findIndex(({ id }) => id === newestSeen);
  return items.slice(from + 1).filter((item) => item.kind === 'message' && item.from === peer).length;
}

/** The rows from a place up, counted no further than is of interest. */
function rowsAbove(open: OpenConversation, ink: Ink, place: { index: number; hidden: number }, most: number): number {
  let count = 0;
  for (let { index, hidden } = place; index >= 0 && count < most; index -= 1, hidden = 0) {
    count += Math.max(0, rowsAt(open, index, ink).length - hidden);
  }
  return count;
}

function anchorAt({ items }: OpenConversation, index: number, hidden: number): Anchor | undefined {
  const item = items[index];
  return item && { id: item.id, index, hidden };
}

/** Where the end is now. An item that is gone leaves its place to what stands there. */
function placeOf({ items, anchor }: OpenConversation): { readonly index: number; readonly hidden: number } {
  const last = items.length - 1;
  if (anchor === undefined) return { index: last, hidden: 0 };
  const index = items.findIndex(({ id }) => id === anchor.id);
  return index >= 0 ? { index, hidden: anchor.hidden } : { index: Math.min(anchor.index, last), hidden: 0 };
}

const known = new WeakMap<HistoryItem, { readonly key: string; readonly rows: readonly Row[] }>();

/** The rows of an item, kept as long as the item and what they depend on stay the same. */
function rowsAt(open: OpenConversation, index: number, ink: Ink): readonly Row[] {
  const item = open.items[index];
  if (!item) return [];
  const cameAt = open.late.get(item.id);
  const isFirst = item.kind === 'message' && beginsDay(item, messageBefore(open, index));
  const isFound = item.id === open.found;
  const key = `${isFound}/${ink.colour}/${ink.columns}/${ink.nameColumns}/${isFirst}/${cameAt?.getTime() ?? ''}`;
  const kept = known.get(item);
  if (kept?.key === key) return kept.rows;
  const rows = itemRows(item, ink, { beginsDay: isFirst, isFound, cameAt });
  known.set(item, { key, rows });
  return rows;
}

function messageBefore({ items }: OpenConversation, index: number): Message | undefined {
  for (let before = index - 1; before >= 0; before -= 1) {
    const item = items[before];
    if (item?.kind === 'message') return item;
  }
  return undefined;
}
