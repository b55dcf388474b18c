import type { MessageId } from '@waxwing/protocol';
import type { ChangeBus } from './bus.ts';
import { ClosedError, SendFailedError } from './errors.ts';
import type { Store } from './history/store.ts';
import { pendingStatus, statusReader, type MessageStatus } from './message.ts';
import { until, type Observable } from './observable.ts';

const order = ['queued', 'sent', 'delivered', 'read'] as const;

/** An own message, from the outbox on. */
export type SentMessage = {
  readonly id: MessageId;
  readonly status: Observable<MessageStatus>;
  /**
   * Resolves when the message is this far or further: `sent`, durable at the relay; `delivered`, on a device of the peer.
   * Rejects with `SendFailedError` when it failed, `ClosedError` when the client closes, or the signal's reason.
   */
  reached(state: 'sent' | 'delivered' | 'read', options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Sends a failed message again, under the same id. */
  retry(): Promise<void>;
  /** Takes the message back. True: nobody gets it. False: it was sent. */
  cancel(): Promise<boolean>;
};

type Parts = {
  readonly store: Store;
  readonly bus: ChangeBus;
  readonly closing: AbortSignal;
  readonly retry: (id: MessageId) => void;
  readonly cancel: (id: MessageId) => Promise<boolean>;
};

export function createSentMessage(id: MessageId, parts: Parts): SentMessage {
  const status = createStatus(id, parts);
  return {
    id,
    status,
    async reached(wanted, options) {
      const signals = [parts.closing, ...(options?.signal ? [options.signal] : [])];
      const done = (value: MessageStatus) => value.state === 'failed' || isAtLeast(value, wanted);
      const value = await until(status, done, AbortSignal.any(signals));
      if (value.state === 'failed') throw new SendFailedError(value.code);
    },
    retry: () =>
      Promise.resolve().then(() => {
        if (parts.closing.aborted) throw new ClosedError();
        parts.retry(id);
      }),
    cancel: () =>
      parts.closing.aborted ? Promise.reject(new ClosedError()) : unlessClosed(parts.cancel(id), parts.closing),
  };
}

function unlessClosed<T>(answer: Promise<T>, closing: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => reject(new ClosedError());
    closing.addEventListener('abort', end);
    answer.then(resolve, reject).finally(() => closing.removeEventListener('abort', end));
  });
}

function isAtLeast(status: MessageStatus, wanted: (typeof order)[number]): boolean {
  const at = order.findIndex((state) => state === status.state);
  return at >= order.indexOf(wanted);
}

/** The status is worked out from the file when it is asked for and something changed since. */
function createStatus(id: MessageId, { store, bus, closing }: Parts): Observable<MessageStatus> {
  let snapshot: MessageStatus | undefined;
  const read = (): MessageStatus => {
    if (closing.aborted && snapshot) return snapshot;
    const row = store.outbox.byId(id);
    if (row) return pendingStatus(row);
    const message = store.messages.byId(id);
    return message?.own ? statusReader(store)(message) : { state: 'failed', code: 'cancelled' };
  };
  const look = (): MessageStatus => {
    const next = read();
    if (snapshot === undefined || !isSame(snapshot, next)) snapshot = next;
    return snapshot;
  };
  return {
    getSnapshot: look,
    subscribe(listener) {
      let known = look();
      return bus.subscribe(() => {
        const next = look();
        if (next === known) return;
        known = next;
        listener();
      });
    },
  };
}

function isSame(a: MessageStatus, b: MessageStatus): boolean {
  return a.state === b.state && (a.state !== 'failed' || (b.state === 'failed' && a.code === b.code));
}
