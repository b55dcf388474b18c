import { StoreFullError } from '../errors.ts';
import type { Store } from './store.ts';

/** Knows whether the disk refused the last commit. */
export class DiskWatch {
  #isFull = false;

  get isFull(): boolean {
    return this.#isFull;
  }

  /** Runs a call that commits. */
  around<T>(call: () => T): T {
    try {
      const result = call();
      this.#isFull = false;
      return result;
    } catch (error) {
      if (error instanceof StoreFullError) this.#isFull = true;
      throw error;
    }
  }

  /** The same store, watched. */
  watch(store: Store): Store {
    return { ...store, transaction: (work, durability) => this.around(() => store.transaction(work, durability)) };
  }
}
