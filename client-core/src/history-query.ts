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
import type { MessageRow } from './history/messages.ts';
import type { OrderKey } from './history/order-key.ts';
import type { Store } from './history/store.ts';
import { createLiveQuery, type LiveQuery, type Page } from './live-query.ts';
import { messageOf, pendingMessage, type HistoryItem } from './message.ts';

export type HistoryOptions = {
  /** How many messages the window begins with. */
  readonly limit?: number;
  /** Begin around a message or a time instead of at the newest. */
  readonly around?: MessageId | Date;
};

const LIMIT = 50;
const BEFORE_ALL: Sequence = { era: parseEra(1), number: 0 };

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

  function read({ older, newer }: { older: number; newer: number }): Page<HistoryItem> {
    const before = limit + older;
    const older_ = store.messages.pageBefore(conversation.id, anchor, before + 1);
    const newer_ = anchor ? store.messages.pageAfter(conversation.id, minusOne(anchor), limit + newer + 1) : [];
    const hasOlder = older_.length > before;
    const hasNewer = newer_.length > limit + newer;
    const rows = [...older_.slice(0, before).reverse(), ...newer_.slice(0, limit + newer)];
    const between = [...holesOf(store, conversation.id), ...alertsOf(store, conversation.id)];
    const shown = rows.map((row) => ({
      spot: spotOf(row),
      item: { kind: 'message' as const, ...messageOf(store, row, conversation.name) },
    }));
    const [first, last] = [shown.at(0), shown.at(-1)];
    const within = between.filter(
      ({ spot }) =>
        (!hasOlder || (first && compareSpots(spot, first.spot) > 0)) &&
        (!hasNewer || (last && compareSpots(spot, last.spot) < 0)),
    );
    const merged: { spot: Spot; item: HistoryItem }[] = [...shown, ...within];
    merged.sort((a, b) => compareSpots(a.spot, b.spot));
    const pending = hasNewer
      ? []
      : store.outbox.ofConversation(conversation.id).map((row) => ({
          kind: 'message' as const,
          ...pendingMessage(row, conversation.name, own.account, own.device),
        }));
    return { items: [...merged.map(({ item }) => item), ...pending], hasOlder, hasNewer };
  }

  return createLiveQuery({
    bus,
    read,
    pageSize: limit,
    concerns: ({ conversations }) => conversations.has(conversation.id),
  });
}

function anchorOf(store: Store, conversation: number, around: MessageId | Date): OrderKey | undefined {
  if (around instanceof Date) return { ms: around.getTime(), tie: 0 };
  const message = store.messages.byId(around);
  return message?.conversation === conversation ? message.key : undefined;
}

function minusOne({ ms, tie }: OrderKey): OrderKey {
  return tie > 0 ? { ms, tie: tie - 1 } : { ms: ms - 1, tie: 2 ** 20 - 1 };
}

function spotOf(row: MessageRow): Spot {
  return { epochNumber: row.epochNumber, epoch: row.epoch, sequence: row.sequence };
}

function compareSpots(a: Spot, b: Spot): number {
  return a.epochNumber - b.epochNumber || a.epoch - b.epoch || compareSequences(a.sequence, b.sequence);
}

/** The holes of a conversation, each at its first number, or just before the message that revealed it. */
function holesOf(store: Store, conversation: number): { spot: Spot; item: HistoryItem }[] {
  return store.conversations.epochs(conversation).flatMap(({ id: epoch, number: epochNumber }) => {
    const numbered = store.coverage.holes(epoch).map(({ era, from, to, reason }) => ({
      spot: { epoch, epochNumber, sequence: { era, number: from } },
      item: {
        kind: 'hole' as const,
        id: `hole:${epochNumber}.${era}.${from}`,
        count: to - from + 1,
        reason,
        range: { epoch: epochNumber, era, from, to },
      },
    }));
    const chained = store.coverage.chainHoles(epoch).map(({ party, fromN, toN, before, reason }) => ({
      spot: { epoch, epochNumber, sequence: { era: before.era, number: before.number - 0.5 } },
      item: {
        kind: 'hole' as const,
        id: `hole:${epochNumber}.${party}.n${fromN}`,
        count: toN - fromN + 1,
        reason,
        range: null,
      },
    }));
    return [...numbered, ...chained];
  });
}

/** The alerts of a conversation, each just behind the sequence where it was found. */
function alertsOf(store: Store, conversation: number): { spot: Spot; item: HistoryItem }[] {
  return store.alerts.of(conversation).map(({ id, account, device, what, at, atMs }) => {
    const epoch = at && store.conversations.epochById(at.epoch);
    const sequence = at ? { era: at.sequence.era, number: at.sequence.number + 0.25 } : BEFORE_ALL;
    return {
      spot: { epoch: epoch?.id ?? 0, epochNumber: epoch?.number ?? 0, sequence },
      item: { kind: 'alert', id: `alert:${id}`, account, ...(device && { device }), what, time: new Date(atMs) },
    };
  });
}
