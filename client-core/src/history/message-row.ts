import {
  parseAccountId,
  parseDeviceId,
  parseEra,
  parseMessageId,
  type AccountId,
  type DeviceId,
  type MessageId,
  type Sequence,
} from '@waxwing/protocol';
import type { Row } from './database.ts';
import type { OrderKey } from './order-key.ts';
import { integer, integerOrNull, text, textOrNull } from './row.ts';

export type NewMessage = {
  readonly conversation: number;
  readonly messageId: MessageId;
  readonly party: number;
  readonly own: boolean;
  readonly epoch: number;
  readonly sequence: Sequence;
  readonly n: number;
  readonly kind: number;
  readonly text: string | null;
  readonly replyTo: MessageId | null;
  readonly serverTimeMs: number;
  readonly sentAtMs: number;
};

export type MessageRow = NewMessage & {
  readonly key: OrderKey;
  readonly from: AccountId;
  readonly device: DeviceId;
  readonly epochNumber: number;
  /** Place in the order of release; null until released and for own messages. */
  readonly inbox: number | null;
  readonly late: boolean;
  /** Of another account, and not marked read. */
  readonly unread: boolean;
};

/** What `toMessage` reads, and from where. */
export const MESSAGE_COLUMNS = `message.id >> 20 AS key_ms, message.id & 1048575 AS key_tie, message.*, party.account, party.device,
  epoch.number AS epoch_number`;
export const MESSAGE_SOURCE = 'message JOIN party ON party.id = message.party JOIN epoch ON epoch.id = message.epoch';

export function toMessage(row: Row): MessageRow {
  const replyTo = textOrNull(row, 'reply_to');
  return {
    key: keyOf(row),
    conversation: integer(row, 'conversation'),
    messageId: parseMessageId(text(row, 'message_id')),
    party: integer(row, 'party'),
    from: parseAccountId(text(row, 'account')),
    device: parseDeviceId(integer(row, 'device')),
    own: integer(row, 'own') === 1,
    epoch: integer(row, 'epoch'),
    epochNumber: integer(row, 'epoch_number'),
    sequence: sequenceOf(row),
    n: integer(row, 'n'),
    kind: integer(row, 'kind'),
    text: textOrNull(row, 'text'),
    replyTo: replyTo === null ? null : parseMessageId(replyTo),
    serverTimeMs: integer(row, 'server_time_ms'),
    sentAtMs: integer(row, 'sent_at_ms'),
    inbox: integerOrNull(row, 'inbox'),
    late: integer(row, 'late') === 1,
    unread: integer(row, 'unread') === 1,
  };
}

export function keyOf(row: Row): OrderKey {
  return { ms: integer(row, 'key_ms'), tie: integer(row, 'key_tie') };
}

export function sequenceOf(row: Row): Sequence {
  return { era: parseEra(integer(row, 'era')), number: integer(row, 'number') };
}
