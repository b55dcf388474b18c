import type { AccountId, DeviceId, Sequence } from '@waxwing/protocol';
import type { Store } from '../history/store.ts';

/** What an honest server and honest contacts do not do, or what a person is to know of a contact's devices. */
export type Alarm = {
  readonly account: AccountId;
  readonly device?: DeviceId;
  readonly what: string;
  /** Where it was found; absent where it is of no one message. */
  readonly at?: { readonly epoch: number; readonly sequence: Sequence };
};

/**
 * Puts an alarm into the history of the conversation that it concerns, within a transaction; without a place of its own it
 * stands behind the newest message. Answers the conversation that changed; none where there is none with the account, or
 * the same was found lately.
 */
export function noteAlarm(store: Store, { account, device, what, at }: Alarm, nowMs: number): number | undefined {
  const conversation = at
    ? store.conversations.epochById(at.epoch).conversation
    : store.conversations.byPeer(account)?.id;
  if (conversation === undefined) return undefined;
  const place = at ?? newest(store, conversation) ?? null;
  return store.alerts.note(conversation, { account, device, what, at: place, atMs: nowMs }) ? conversation : undefined;
}

function newest({ conversations, coverage }: Store, conversation: number): Alarm['at'] {
  for (const { id } of conversations.epochs(conversation).reverse()) {
    const { floor } = coverage.view(id);
    if (floor) return { epoch: id, sequence: floor };
  }
  return undefined;
}
