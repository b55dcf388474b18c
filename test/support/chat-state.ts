import type { ConversationId, ConversationSummary, HistoryItem, QuerySnapshot } from '@waxwing/client-core';
import { parseAccountId, parseDeviceId, parseMessageId, type AccountId } from '@waxwing/protocol';
import { historyCame, opened } from '../../cli/src/chat/terminal/come.ts';
import { firstState, type ChatState, type Setting } from '../../cli/src/chat/terminal/state.ts';

const me = parseAccountId('00000000-0000-4000-8000-000000000001');
export const bob = parseAccountId('00000000-0000-4000-8000-000000000002');
export const carol = parseAccountId('00000000-0000-4000-8000-000000000003');

export const setting: Setting = {
  people: { own: me, nameOf: (account) => ({ [me]: 'alice', [bob]: 'bob' })[account] ?? 'carol' },
  colour: false,
  title: 'alice',
};

const NOW = new Date(2026, 5, 1, 12, 34);

export function idWith(peer: AccountId): ConversationId {
  return `direct:${peer}` as ConversationId;
}

/** A message of Bob's, or an own one with how far it is. */
export function message(
  number: number,
  text: string,
  own?: 'queued' | 'sent' | 'delivered' | 'read' | 'failed',
): Extract<HistoryItem, { kind: 'message' }> {
  const at = new Date(NOW.getTime() + number * 1_000);
  return {
    kind: 'message',
    id: parseMessageId(`01900000-0000-7000-8000-${String(number).padStart(12, '0')}`),
    conversation: idWith(bob),
    from: own ? me : bob,
    fromDevice: parseDeviceId(1),
    text,
    sequence: own === 'queued' || own === 'failed' ? null : { epoch: 1, era: 1, number },
    serverTime: at,
    sentAt: at,
    status: own === 'failed' ? { state: 'failed', code: 'too_large' } : { state: own ?? 'received' },
  };
}

export function hole(number: number): HistoryItem {
  return { kind: 'hole', id: `hole:1.1.${number}`, count: 2, reason: 'lost', range: null };
}

/** What a live query of these items answers. */
export function snapshot(
  items: readonly HistoryItem[],
  o: { hasOlder?: boolean; hasNewer?: boolean } = {},
): QuerySnapshot<HistoryItem> {
  return { items, state: 'ready', hasOlder: o.hasOlder ?? false, hasNewer: o.hasNewer ?? false };
}

export function summary(peer: AccountId, o: Partial<ConversationSummary> = {}): ConversationSummary {
  return { id: idWith(peer), kind: 'direct', peer, activeAt: NOW, unread: 0, ...o };
}

/** The conversation with Bob, open on a terminal of this size, online. */
export function talking(items: readonly HistoryItem[], size: ChatState['size'] = { columns: 80, rows: 16 }): ChatState {
  const start: ChatState = {
    ...firstState(size, NOW),
    connection: { state: 'online' },
    conversations: [summary(bob), summary(carol)],
  };
  return historyCame(opened(start, { id: idWith(bob), peer: bob }), snapshot(items));
}
