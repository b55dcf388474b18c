import type { AccountId, DeviceId, MessageId } from '@waxwing/protocol';
import type { ClientErrorCode } from './errors.ts';
import type { ErrorCode } from '@waxwing/protocol';
import type { ConversationId } from './conversation-id.ts';
import type { HoleReason } from './history/coverage.ts';
import type { MessageRow } from './history/message-row.ts';
import type { OutboxRow } from './history/outbox.ts';
import type { Store } from './history/store.ts';
import { decodeContent, isErrorCode } from '@waxwing/protocol';
import { reaches } from './sync/reach.ts';

/** How far an own message is; one of others is `received`. */
export type MessageStatus =
  | { readonly state: 'queued' | 'sent' | 'delivered' | 'read' | 'received' }
  | { readonly state: 'failed'; readonly code: ErrorCode | ClientErrorCode };

/** A message's place: the same on every device. */
export type MessageSequence = { readonly epoch: number; readonly era: number; readonly number: number };

/** A message of a conversation, own or of others. JSON-safe but for its dates. */
export type Message = {
  readonly id: MessageId;
  readonly conversation: ConversationId;
  readonly from: AccountId;
  readonly fromDevice: DeviceId;
  /** Absent in a message of a kind that this version cannot show. */
  readonly text?: string;
  readonly replyTo?: MessageId;
  /** Null for an own message that is not sent yet. */
  readonly sequence: MessageSequence | null;
  /** When the relay took it; of an own message that is not sent yet, when it was written. */
  readonly serverTime: Date;
  /** When it was written, by the sender's clock. */
  readonly sentAt: Date;
  readonly status: MessageStatus;
};

/**
 * What a conversation's history shows, in order. `hole`: `count` messages are missing here. `alert`: found here, as an
 * event says it when it is found.
 */
export type HistoryItem =
  | ({ readonly kind: 'message' } & Message)
  | {
      readonly kind: 'hole';
      /** Stable while the hole is. */
      readonly id: string;
      readonly count: number;
      readonly reason: HoleReason;
      /** The missing numbers; null where they are unknown. */
      readonly range: {
        readonly epoch: number;
        readonly era: number;
        readonly from: number;
        readonly to: number;
      } | null;
    }
  | {
      readonly kind: 'alert';
      /** Stable. */
      readonly id: string;
      readonly account: AccountId;
      /** Absent where it is of the account. */
      readonly device?: DeviceId;
      /** Holds no content. */
      readonly what: string;
      readonly time: Date;
    };

export function messageOf(row: MessageRow, conversation: ConversationId, status: MessageStatus): Message {
  return {
    id: row.messageId,
    conversation,
    from: row.from,
    fromDevice: row.device,
    ...(row.text !== null && { text: row.text }),
    ...(row.replyTo !== null && { replyTo: row.replyTo }),
    sequence: { epoch: row.epochNumber, era: row.sequence.era, number: row.sequence.number },
    serverTime: new Date(row.serverTimeMs),
    sentAt: new Date(row.sentAtMs),
    status,
  };
}

export function pendingMessage(
  row: OutboxRow,
  conversation: ConversationId,
  from: AccountId,
  fromDevice: DeviceId,
): Message {
  const { text, replyTo } = decodeContent(row.content);
  return {
    id: row.messageId,
    conversation,
    from,
    fromDevice,
    text,
    ...(replyTo && { replyTo }),
    sequence: null,
    serverTime: new Date(row.sentAtMs),
    sentAt: new Date(row.sentAtMs),
    status: pendingStatus(row),
  };
}

export function pendingStatus(row: OutboxRow): MessageStatus {
  if (row.state !== 'failed') return { state: 'queued' };
  return { state: 'failed', code: row.failure !== null && isErrorCode(row.failure) ? row.failure : 'cancelled' };
}

/**
 * Says how far messages are, as long as the file does not change: what receipts say is read once for each epoch. A sent
 * message is as far as the peer's receipts reach; one to oneself is with its peer, and read.
 */
export function statusReader(store: Store): (row: MessageRow) => MessageStatus {
  const epochs = new Map<number, (row: MessageRow) => MessageStatus>();
  const read = ({ epoch, conversation, from }: MessageRow): ((row: MessageRow) => MessageStatus) => {
    const peer = store.conversations.byId(conversation)?.peer;
    if (peer === undefined) return () => ({ state: 'sent' });
    if (peer === from) return () => ({ state: 'read' });
    const kinds = ['read', 'delivered'] as const;
    const said = kinds.map((kind) => ({ kind, reach: store.receipts.received(epoch, peer, kind) }));
    return ({ n }) => ({ state: said.find(({ reach }) => reaches(reach, n))?.kind ?? 'sent' });
  };
  return (row) => {
    if (!row.own) return { state: 'received' };
    const known = epochs.get(row.epoch) ?? read(row);
    epochs.set(row.epoch, known);
    return known(row);
  };
}
