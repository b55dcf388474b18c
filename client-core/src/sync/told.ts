import { directId, type ConversationId } from '../conversation-id.ts';
import { StoreFullError } from '../errors.ts';
import type { SyncContext } from './context.ts';
import type { Placing } from './placing.ts';

/** Tells that the disk refused a commit. Anything else that was thrown is a bug and goes on. */
export function tellFull({ events }: SyncContext, error: unknown): void {
  if (!(error instanceof StoreFullError)) throw error;
  events.emit({ type: 'storeFull' });
}

/** After a commit: tells queries what to look at again, and listeners which holes opened and filled. */
export function tellPlaced({ bus, events, store }: SyncContext, placing: Placing): void {
  bus.tell({ conversations: placing.touched, inbox: placing.released });
  const idOf = (conversation: number): ConversationId | undefined => {
    const row = store.conversations.byId(conversation);
    return row && directId(row.peer);
  };
  for (const { conversation, count, reason } of placing.opened) {
    const id = idOf(conversation);
    if (id) events.emit({ type: 'hole', conversation: id, count, reason });
  }
  for (const { account, device, what } of placing.alarms) {
    events.emit({ type: 'securityAlert', account, ...(device && { device }), what });
  }
  for (const conversation of placing.filled) {
    const id = idOf(conversation);
    if (id) events.emit({ type: 'holeFilled', conversation: id });
  }
}
