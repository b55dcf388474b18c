import type { Observable } from '@waxwing/client-core';
import type { Clock, Timers } from '@waxwing/protocol';

/** No more than so many frames a second are drawn, however much happens. */
const FRAME_MS = 33;

/**
 * A value that is worked on at any pace and shown by frames: subscribers hear of it once for all that happened since the
 * frame before, and `getSnapshot` answers what that frame showed. What is watched is read once a frame, if it changed.
 */
export class Frames<T> implements Observable<T> {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #listeners = new Set<() => void>();
  readonly #due = new Set<() => void>();
  #value: T;
  #shown: T;
  #cancel: (() => void) | undefined;
  #lastMs = 0;

  constructor(value: T, { clock, timers }: { readonly clock: Clock; readonly timers: Timers }) {
    this.#value = value;
    this.#shown = value;
    this.#clock = clock;
    this.#timers = timers;
  }

  /** What the next frame will show, as far as it is known. */
  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (value === this.#value) return;
    this.#value = value;
    this.#schedule();
  }

  /** Takes in what something is now, and at each frame in which it changed. The answer ends it. */
  watch(source: Observable<unknown>, takeIn: () => void): () => void {
    const unsubscribe = source.subscribe(() => {
      this.#due.add(takeIn);
      this.#schedule();
    });
    takeIn();
    return () => {
      unsubscribe();
      this.#due.delete(takeIn);
    };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getSnapshot = (): T => this.#shown;

  /** Nothing is shown any more. */
  end(): void {
    this.#cancel?.();
    this.#due.clear();
    this.#listeners.clear();
  }

  #schedule(): void {
    if (this.#cancel) return;
    const waitMs = this.#lastMs + FRAME_MS - this.#clock.now();
    this.#cancel = this.#timers.after(Math.min(FRAME_MS, Math.max(0, waitMs)), () => this.#show());
  }

  #show(): void {
    for (const takeIn of [...this.#due]) takeIn();
    this.#due.clear();
    this.#cancel = undefined;
    this.#lastMs = this.#clock.now();
    if (this.#shown === this.#value) return;
    this.#shown = this.#value;
    for (const listener of [...this.#listeners]) listener();
  }
}
