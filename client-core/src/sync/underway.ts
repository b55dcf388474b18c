import { randomFraction } from '@waxwing/protocol';
import type { SyncContext } from './context.ts';

/**
 * Which outbox rows have a submit under way, and which wait before they are submitted again: for another row's answer,
 * or for a time. Both keep a row from being submitted twice at once.
 */
export class Underway {
  readonly #context: SyncContext;
  readonly #wake: () => void;
  /** By row, the attempt that its submit carries. */
  readonly #attempts = new Map<number, number>();
  readonly #waiting = new Set<number>();
  #cancelTimer: (() => void) | undefined;
  #stopped = false;

  /** `wake` is called when a time is over. */
  constructor(context: SyncContext, wake: () => void) {
    this.#context = context;
    this.#wake = wake;
  }

  has(id: number): boolean {
    return this.#attempts.has(id);
  }

  /** Whether this very attempt of the row is the one under way. */
  isAt(id: number, attempt: number): boolean {
    return this.#attempts.get(id) === attempt;
  }

  begin(id: number, attempt: number): void {
    this.#attempts.set(id, attempt);
  }

  end(id: number): void {
    this.#attempts.delete(id);
  }

  /** The row is not submitted again before another is answered, or the time is over. */
  wait(row: { readonly id: number; readonly attempt: number }, afterMs?: number): void {
    this.#attempts.set(row.id, row.attempt);
    this.#waiting.add(row.id);
    if (afterMs !== undefined) this.wakeAfter(afterMs);
  }

  /** A row was answered: what waited may go. */
  endWaits(): void {
    for (const id of this.#waiting) this.#attempts.delete(id);
    this.#waiting.clear();
  }

  /** Ends the waits after this time and half as much again at random; while one runs, a further call changes nothing. */
  wakeAfter(afterMs: number): void {
    if (this.#cancelTimer || this.#stopped) return;
    const jittered = afterMs * (1 + randomFraction(this.#context.randomBytes) / 2);
    this.#cancelTimer = this.#context.timers.after(jittered, () => {
      this.#cancelTimer = undefined;
      this.endWaits();
      this.#wake();
    });
  }

  /** A new connection: nothing is under way on it. */
  clear(): void {
    this.#attempts.clear();
    this.#waiting.clear();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
  }
}
