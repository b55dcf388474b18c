import type { ChangeBus, Change } from './bus.ts';
import type { Observable } from './observable.ts';

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

export type Page<T> = { readonly items: readonly T[]; readonly hasOlder: boolean; readonly hasNewer: boolean };

const LOADING = { items: [], state: 'loading', hasOlder: false, hasNewer: false } as const;

/**
 * A live query over a window that `read` answers. `older` and `newer` count how far it was widened on either side.
 * `concerns` says whether a change may matter; a read that is equal keeps the snapshot.
 */
export function createLiveQuery<T>(o: {
  readonly bus: ChangeBus;
  readonly concerns: (change: Change) => boolean;
  readonly read: (window: { readonly older: number; readonly newer: number }) => Page<T>;
  readonly pageSize: number;
}): LiveQuery<T> {
  let window = { older: 0, newer: 0 };
  let snapshot: QuerySnapshot<T> = LOADING;
  let isCurrent = false;
  let unsubscribe: (() => void) | undefined;
  const listeners = new Set<() => void>();

  function refresh(): void {
    isCurrent = listeners.size > 0;
    let next: QuerySnapshot<T>;
    try {
      next = { state: 'ready', ...o.read(window) };
    } catch (error) {
      next = { ...snapshot, state: 'error', error };
    }
    if (JSON.stringify(next) !== JSON.stringify(snapshot)) snapshot = next;
  }

  function changed(): void {
    const before = snapshot;
    refresh();
    if (snapshot !== before) for (const listener of [...listeners]) listener();
  }

  return {
    getSnapshot() {
      if (!isCurrent) refresh();
      return snapshot;
    },
    subscribe(listener) {
      listeners.add(listener);
      unsubscribe ??= o.bus.subscribe((change) => {
        if (o.concerns(change)) changed();
      });
      if (!isCurrent) refresh();
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
      changed();
      return Promise.resolve();
    },
    loadNewer(count = o.pageSize) {
      window = { ...window, newer: window.newer + count };
      changed();
      return Promise.resolve();
    },
  };
}
