import type { AccountId, Handle, MessageId, Sequence } from '@waxwing/protocol';
import type { DeviceKey } from '../device-key.ts';

/** An envelope on its way into one device's mailbox. Devices may share the bytes of one. */
export type Delivery = { readonly device: DeviceKey; readonly envelope: Uint8Array };

/**
 * What can happen to a relay's store. Its state is what all events, one after the other, make of nothing: an adapter
 * that keeps the events in order has kept the state. `events` says what became true, never what was asked.
 */
export type RelayEvent = Committed | Direct | MailboxBegun | Trimmed | Expired | Dropped;

export type Committed = {
  readonly type: 'committed';
  readonly sender: DeviceKey;
  readonly handle: Handle;
  readonly n: number;
  readonly attempt: number;
  readonly digest: Uint8Array;
  readonly sequence: Sequence;
  readonly predecessor?: Sequence;
  readonly change: boolean;
  readonly serverTimeMs: number;
  /** The incarnation of the store that counted. */
  readonly incarnation: string;
  /** The accounts that may ask whose message this number is. */
  readonly accounts: readonly AccountId[];
  readonly deliveries: readonly Delivery[];
};

export type Direct = {
  readonly type: 'direct';
  readonly sender: DeviceKey;
  readonly messageId: MessageId;
  readonly serverTimeMs: number;
  readonly deliveries: readonly Delivery[];
};

/** A mailbox was created, or got a new incarnation because the store is another. */
export type MailboxBegun = {
  readonly type: 'mailbox_begun';
  readonly device: DeviceKey;
  /** The mailbox's own, drawn at random. */
  readonly incarnation: string;
  /** The incarnation of the store that drew it. */
  readonly drawnUnder: string;
};

export type Trimmed = { readonly type: 'trimmed'; readonly device: DeviceKey; readonly upTo: number };
/** Everything that was due at `nowMs` went, leaving its marks. */
export type Expired = { readonly type: 'expired'; readonly device: DeviceKey; readonly nowMs: number };
export type Dropped = { readonly type: 'dropped'; readonly device: DeviceKey };
