import type { ChangeBus, Change } from './bus.ts';
import type { Observable } from './observable.ts';

/** What a live query holds now. `error` is set in the state of that name; the items are then those of before. */
export type QuerySnapshot<T> = {
  readonly items: readonly T[];
  readonly state: 'loading' | 'ready' | 'error';
  readonly error?: unknown;
  readonly hasOlder: boolean;
  readonly hasNewer: boolean;
};

/** A list that follows the file while somebody subscribes. The last unsubscribe releases it; reading it then reads afresh. */
export type LiveQuery<T> = Observable<QuerySnapshot<T>> & {
  /** Widens the window to older items. */
  loadOlder(count?: number): Promise<void>;
  /** Widens the window to newer items, where it does not end with the newest. */
  loadNewer(count?: number): Promise<void>;
};

/** What a window holds at one reading. */
export type WindowItems<T> = { readonly items: readonly T[]; readonly hasOlder: boolean; readonly hasNewer: boolean };

const LOADING = { items: [], state: 'loading', hasOlder: false, hasNewer: false } as const;

/**
 * A live query over a window that `read` answers. `older` and `newer` count how far it was widened on either side;
 * `isFresh` says that nothing that concerns has changed since the last reading. `concerns` says whether a change may
 * matter; a read that is equal keeps the snapshot.
 */
export function createLiveQuery<T>(o: {
  readonly bus: ChangeBus;
  readonly concerns: (change: Change) => boolean;
  readonly read: (window: { readonly older: number; readonly newer: number }, isFresh: boolean) => WindowItems<T>;
  readonly pageSize: number;
}): LiveQuery<T> {
  let window = { older: 0, newer: 0 };
  let snapshot: QuerySnapshot<T> = LOADING;
  let isCurrent = false;
  let unsubscribe: (() => void) | undefined;
  const listeners = new Set<() => void>();

  /** `isFresh`: nothing that concerns has changed since the last reading. */
  function refresh(isFresh: boolean): void {
    isCurrent = listeners.size > 0;
    let next: QuerySnapshot<T>;
    try {
      next = { state: 'ready', ...o.read(window, isFresh) };
    } catch (error) {
      next = { ...snapshot, state: 'error', error };
    }
    if (!isSame(next, snapshot)) snapshot = next;
  }

  function changed(isFresh: boolean): void {
    const before = snapshot;
    refresh(isFresh);
    if (snapshot !== before) for (const listener of [...listeners]) listener();
  }

  return {
    getSnapshot() {
      if (!isCurrent) refresh(false);
      return snapshot;
    },
    subscribe(listener) {
      listeners.add(listener);
      unsubscribe ??= o.bus.subscribe((change) => {
        if (o.concerns(change)) changed(false);
      });
      if (!isCurrent) refresh(false);
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        unsubscribe?.();
        unsubscribe = undefined;
        isCurrent = false;
      };
    },
    loadOlder(count = o.pageSize) {
      window = { ...window, older: window.older + count };
      changed(isCurrent);
      return Promise.resolve();
    },
    loadNewer(count = o.pageSize) {
      window = { ...window, newer: window.newer + count };
      changed(isCurrent);
      return Promise.resolve();
    },
  };
}

/** Items that are the same objects need no further look: a long window is compared as quickly as it is read. */
function isSame<T>(a: QuerySnapshot<T>, b: QuerySnapshot<T>): boolean {
  if (a.state !== b.state || a.hasOlder !== b.hasOlder || a.hasNewer !== b.hasNewer) return false;
  return (
    a.items.length === b.items.length &&
    a.items.every((item, index) => item === b.items[index] || JSON.stringify(item) === JSON.stringify(b.items[index]))
  );
}
