import { limits, randomFraction, type RandomBytes } from '@waxwing/protocol';

/**
 * How long to wait before connecting again: full jitter, a random part of a ceiling that doubles with each failure in a
 * row. A server's own wish is waited out first, so that clients sent away together do not come back together.
 */
export class Backoff {
  readonly #random: RandomBytes;
  #failures = 0;

  constructor(random: RandomBytes) {
    this.#random = random;
  }

  /** Milliseconds, and one failure more. A wish over `retryAfterMaxMs` counts as that. */
  next(retryAfterMs = 0): number {
    const ceiling = Math.min(limits.reconnectMaxMs, limits.reconnectFirstMs * 2 ** this.#failures);
    if (ceiling < limits.reconnectMaxMs) this.#failures++;
    return (
      Math.min(Math.max(0, retryAfterMs), limits.retryAfterMaxMs) + Math.floor(randomFraction(this.#random) * ceiling)
    );
  }

  reset(): void {
    this.#failures = 0;
  }
}
