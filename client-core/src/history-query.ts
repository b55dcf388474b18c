import {
  compareSequences,
  parseEra,
  type AccountId,
  type DeviceAddress,
  type MessageId,
  type Sequence,
} from '@waxwing/protocol';
import type { ChangeBus } from './bus.ts';
import type { ConversationId } from './conversation-id.ts';
import { holeIdText } from './history/hole-id.ts';
import type { MessageRow } from './history/message-row.ts';
import { keyAt, type OrderKey } from './history/order-key.ts';
import type { Store } from './history/store.ts';
import { WindowReader, type ShownMessage } from './history-window.ts';
import { createLiveQuery, type LiveQuery, type WindowItems } from './live-query.ts';
import { pendingMessage, type HistoryItem } from './message.ts';

/** Which part of a history a query begins with. */
export type HistoryOptions = {
  /** How many messages the window begins with. */
  readonly limit?: number;
  /** Begin around a message or a time instead of at the newest. */
  readonly around?: MessageId | Date;
};

const LIMIT = 50;
const BEFORE_ALL: Sequence = { era: parseEra(1), number: 0 };

/** Something that stands between messages, and where. */
type Placed = { readonly spot: Spot; readonly item: HistoryItem };
/** What lies behind one spot and before another. */
type Stretch = { readonly after?: Spot; readonly before?: Spot };
type Spot = { readonly epochNumber: number; readonly epoch: number; readonly sequence: Sequence };

/** The history of one conversation: messages, holes and alerts in order, own pending ones last. */
export function createHistoryQuery(
  parts: { readonly store: Store; readonly bus: ChangeBus; readonly own: DeviceAddress },
  conversation: { readonly id: number; readonly name: ConversationId; readonly peer: AccountId },
  options: HistoryOptions,
): LiveQuery<HistoryItem> {
  const { store, bus, own } = parts;
  const limit = options.limit ?? LIMIT;
  const anchor = options.around === undefined ? undefined : anchorOf(store, conversation.id, options.around);

  const reader = new WindowReader(store, conversation, anchor);

  function read(widened: { older: number; newer: number }, isFresh: boolean): WindowItems<HistoryItem> {
    const width = { older: limit + widened.older, newer: limit + widened.newer };
    const { shown, hasOlder, hasNewer } = reader.read(width, isFresh);
    const first = hasOlder ? shown.at(0) : undefined;
    const last = hasNewer ? shown.at(-1) : undefined;
    const within = {
      ...(first && { after: spotOf(first.row) }),
      ...(last && { before: spotOf(last.row) }),
    };
    const between = [...holesOf(store, conversation.id, within), ...alertsOf(store, conversation.id, within)];
    const pending = hasNewer
      ? []
      : store.outbox.ofConversation(conversation.id).map((row) => ({
          kind: 'message' as const,
          ...pendingMessage(row, conversation.name, own.account, own.device),
        }));
    return { items: [...merge(shown, between), ...pending], hasOlder, hasNewer };
  }

  return createLiveQuery({
    bus,
    read,
    pageSize: limit,
    concerns: ({ conversations }) => conversations.has(conversation.id),
  });
}

function anchorOf(store: Store, conversation: number, around: MessageId | Date): OrderKey | undefined {
  if (around instanceof Date) return keyAt(around.getTime());
  const message = store.messages.byId(around);
  return message?.conversation === conversation ? message.key : undefined;
}

function spotOf(row: MessageRow): Spot {
  return { epochNumber: row.epochNumber, epoch: row.epoch, sequence: row.sequence };
}

function compareSpots(a: Spot, b: Spot): number {
  return a.epochNumber - b.epochNumber || a.epoch - b.epoch || compareSequences(a.sequence, b.sequence);
}

/** What stands between messages, put where it belongs; both are in order. */
function merge(shown: readonly ShownMessage[], between: readonly Placed[]): HistoryItem[] {
  const items: HistoryItem[] = [];
  let from = 0;
  for (const { spot, item } of between.toSorted((a, b) => compareSpots(a.spot, b.spot))) {
    let [low, high] = [from, shown.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = shown[middle];
      if (other && compareSpots(spotOf(other.row), spot) <= 0) low = middle + 1;
      else high = middle;
    }
    for (const one of shown.slice(from, low)) items.push(one.item);
    items.push(item);
    from = low;
  }
  return items.concat(shown.slice(from).map(({ item }) => item));
}

function isWithin(spot: Spot, { after, before }: Stretch): boolean {
  return (!after || compareSpots(spot, after) > 0) && (!before || compareSpots(spot, before) < 0);
}

/** The holes of a stretch, each at its first number, or just before the message that revealed it. */
function holesOf(store: Store, conversation: number, within: Stretch): Placed[] {
  const all = store.conversations.epochs(conversation).flatMap(({ id: epoch, number: epochNumber }) => {
    const after = within.after?.epoch === epoch ? within.after.sequence : undefined;
    const before = within.before?.epoch === epoch ? within.before.sequence : undefined;
    const numbered = store.coverage.holes(epoch, after, before).map(({ era, from, to, reason }) => ({
      spot: { epoch, epochNumber, sequence: { era, number: from } },
      item: {
        kind: 'hole' as const,
        id: holeIdText({ type: 'numbers', epoch, from: { era, number: from } }),
        count: to - from + 1,
        reason,
        range: { epoch: epochNumber, era, from, to },
      },
    }));
    const chained = store.coverage.chainHoles(epoch).map(({ party, fromN, toN, before, reason }) => ({
      spot: { epoch, epochNumber, sequence: { era: before.era, number: before.number - 0.5 } },
      item: {
        kind: 'hole' as const,
        id: holeIdText({ type: 'frames', epoch, party, fromN }),
        count: toN - fromN + 1,
        reason,
        range: null,
      },
    }));
    return [...numbered, ...chained];
  });
  return all.filter(({ spot }) => isWithin(spot, within));
}

/** The alerts of a stretch, each just behind the sequence where it was found. */
function alertsOf(store: Store, conversation: number, within: Stretch): Placed[] {
  const all = store.alerts.of(conversation).map(({ id, account, device, what, at, atMs }) => {
    const epoch = at && store.conversations.epochById(at.epoch);
    const sequence = at ? { era: at.sequence.era, number: at.sequence.number + 0.25 } : BEFORE_ALL;
    return {
      spot: { epoch: epoch?.id ?? 0, epochNumber: epoch?.number ?? 0, sequence },
      item: {
        kind: 'alert' as const,
        id: `alert:${id}`,
        account,
        ...(device && { device }),
        what,
        time: new Date(atMs),
      },
    };
  });
  return all.filter(({ spot }) => isWithin(spot, within));
}
