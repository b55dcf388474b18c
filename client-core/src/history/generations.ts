import type { RandomBytes } from '@waxwing/protocol';
import type { Store } from './store.ts';

/**
 * The clone guard's tokens. The first use in a process, over HTTP or at the relay, draws a fresh one, durable before it
 * is sent. All that is sent from then on names it, so that nothing signed before the relay took it is refused after.
 */
export class Generations {
  readonly #store: Store;
  readonly #randomBytes: RandomBytes;
  #drawn: Uint8Array | undefined;

  constructor(store: Store, randomBytes: RandomBytes) {
    this.#store = store;
    this.#randomBytes = randomBytes;
  }

  /** The token that the relay last confirmed and all drawn since, oldest first. */
  list(): Uint8Array[] {
    if (this.#drawn === undefined) {
      const token = this.#randomBytes(16);
      this.#store.transaction(() => this.#store.device.addGeneration(token));
      this.#drawn = token;
    }
    return this.#store.device.generations();
  }

  /** The relay stores the newest now. */
  confirm(): void {
    const drawn = this.#drawn;
    if (drawn) this.#store.transaction(() => this.#store.device.confirmGeneration(drawn));
  }
}
