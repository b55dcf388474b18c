import type { Clock } from '@waxwing/protocol';

/** A time in which something is left alone. A clock that is set back ends it, so that nobody waits for the same hour twice. */
export class Rest {
  readonly #clock: Clock;
  #fromMs = 0;
  #ms = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begins now, and is so long. */
  begin(ms: number): void {
    this.#fromMs = this.#clock.now();
    this.#ms = ms;
  }

  end(): void {
    this.#ms = 0;
  }

  leftMs(): number {
    const restedMs = this.#clock.now() - this.#fromMs;
    return restedMs < 0 ? 0 : Math.max(0, this.#ms - restedMs);
  }
}
