import type { ErrorCode } from '@waxwing/protocol';
import type { FramedRow } from '../history/outbox.ts';
import type { SyncContext } from './context.ts';

/**
 * Keeps why a message was not taken, for those who ask. A power cut may undo it. One that came before its turn is refused
 * for nothing of its own.
 */
export function noteRefusal({ store }: SyncContext, row: FramedRow, code: ErrorCode): void {
  if (code === 'out_of_order') return;
  store.transaction(() => store.outbox.refuse(row.id, code), { synced: false });
}

/** As above, for want of keys of the other side that can be used: what is next in the conversation could not be encrypted. */
export function noteNoKeys({ store }: SyncContext, conversation: number): void {
  store.transaction(
    () => {
      for (const { id } of store.outbox.queued(conversation, 1)) store.outbox.refuse(id, 'no_keys');
    },
    { synced: false },
  );
}
