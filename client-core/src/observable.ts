/** A value that changes. The snapshot stays the same object until the next change, so that it fits React's useSyncExternalStore. */
export type Observable<T> = {
  /** Calls back after each change; the answer ends it. */
  subscribe(listener: () => void): () => void;
  /** The value now: the same object until the next change. */
  getSnapshot(): T;
};

/** An observable that its owner sets. */
export class Value<T> implements Observable<T> {
  #value: T;
  readonly #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getSnapshot = (): T => this.#value;

  set(value: T): void {
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Resolves with the first snapshot that is wanted, which may be the present one. Rejects with the signal's reason. */
export function until<T>(source: Observable<T>, wanted: (value: T) => boolean, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => {
      unsubscribe();
      signal?.removeEventListener('abort', abort);
    };
    const look = () => {
      const value = source.getSnapshot();
      if (!wanted(value)) return;
      end();
      resolve(value);
    };
    const abort = () => {
      end();
      reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
    };
    const unsubscribe = source.subscribe(look);
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) abort();
    else look();
  });
}
