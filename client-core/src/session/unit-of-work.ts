import type { Durability } from '../history/database.ts';
import type { Store } from '../history/store.ts';
import { Mutex } from './mutex.ts';
import { Overlay } from './overlay.ts';

/**
 * One unit of work at a time (I-8). The asynchronous part reads the store and stages crypto changes in an overlay that
 * reads its own writes; nothing in it waits for the network. What it returns is then run, with the staged changes
 * written first, in one synchronous transaction: ratchets and what was read with them become durable together, or not
 * at all, and then the overlay is gone with them.
 */
export class UnitOfWork {
  readonly #store: Store;
  readonly #mutex = new Mutex();

  constructor(store: Store) {
    this.#store = store;
  }

  run<T>(stage: (overlay: Overlay) => Promise<() => T> | (() => T), durability?: Durability): Promise<T> {
    return this.#mutex.run(async () => {
      const overlay = new Overlay(this.#store.crypto);
      const commit = await stage(overlay);
      return this.#store.transaction(() => {
        this.#store.crypto.write(overlay.changes());
        return commit();
      }, durability);
    });
  }

  /** Resolves when nothing is under way. */
  idle(): Promise<void> {
    return this.#mutex.idle();
  }
}
