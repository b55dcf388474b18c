import { limits } from '@waxwing/protocol';

const WINDOW_MS = 60_000;

/** How many frames each asking device may still get in this minute. In memory: a restart begins anew. */
export class AskerLimit {
  readonly #served = new Map<string, { readonly sinceMs: number; frames: number }>();

  left(asker: string, nowMs: number): number {
    return Math.max(0, limits.repairFramesPerAskerPerMinute - this.#of(asker, nowMs).frames);
  }

  take(asker: string, frames: number, nowMs: number): void {
    this.#of(asker, nowMs).frames += frames;
  }

  #of(asker: string, nowMs: number): { frames: number } {
    const known = this.#served.get(asker);
    if (known && nowMs - known.sinceMs < WINDOW_MS && nowMs >= known.sinceMs) return known;
    // The oldest minute goes first, so that memory is bounded by who asks and not by who ever asked.
    this.#served.delete(asker);
    const oldest = this.#served.keys().next().value;
    if (this.#served.size >= limits.repairAskersMax && oldest !== undefined) this.#served.delete(oldest);
    const fresh = { sinceMs: nowMs, frames: 0 };
    this.#served.set(asker, fresh);
    return fresh;
  }
}
