import { limits, randomFraction } from '@waxwing/protocol';
import type { SyncContext } from './context.ts';

/** How long and how often an outcome that cannot be is asked for again. */
const OUTCOME_MS = 1_000;
const OUTCOMES_MAX = 30;

/** A wait that ends at a time; one without ends when another row is answered. */
type Wait = { readonly cancel?: () => void; readonly dueMs?: number };

/**
 * Which outbox rows have a submit under way, and which wait before they are submitted again: for another row's answer,
 * or for a time. Both keep a row from being submitted twice at once.
 */
export class Underway {
  readonly #context: SyncContext;
  readonly #wake: () => void;
  /** By row, the attempt that its submit carries. */
  readonly #attempts = new Map<number, number>();
  readonly #waits = new Map<number, Wait>();
  readonly #unsettled = new Map<number, number>();
  #next: { readonly dueMs: number; readonly cancel: () => void } | undefined;
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
    this.#waits.get(id)?.cancel?.();
    this.#waits.delete(id);
  }

  /** The row is not submitted again before this time is over; without one, before another row is answered. */
  wait(row: { readonly id: number; readonly attempt: number }, afterMs?: number): void {
    this.end(row.id);
    if (this.#stopped) return;
    this.#attempts.set(row.id, row.attempt);
    const isOver = (): void => {
      this.end(row.id);
      this.#wake();
    };
    if (afterMs === undefined) {
      this.#waits.set(row.id, {});
      return;
    }
    const delayMs = this.#jittered(afterMs);
    const dueMs = this.#context.clock.now() + delayMs;
    this.#waits.set(row.id, { dueMs, cancel: this.#context.timers.after(delayMs, isOver) });
  }

  /**
   * The relay gave the row an outcome that cannot be: it lies now, or did so before. It is asked again after a while; false
   * when that was done often enough.
   */
  askAgain(row: { readonly id: number; readonly attempt: number }): boolean {
    const times = (this.#unsettled.get(row.id) ?? 0) + 1;
    this.#unsettled.set(row.id, times);
    if (times < OUTCOMES_MAX) this.wait(row, OUTCOME_MS);
    return times < OUTCOMES_MAX;
  }

  /** When the row is tried again, or else anything is. */
  nextTryMs(id: number): number | undefined {
    return this.#waits.get(id)?.dueMs ?? this.#next?.dueMs;
  }

  /** A row was answered: what waited for that may go. */
  endWaits(): void {
    for (const [id, { cancel }] of this.#waits) if (cancel === undefined) this.end(id);
  }

  /** Wakes after this time and up to half as much again at random, or earlier if a call before this one wants that. */
  wakeAfter(afterMs: number): void {
    if (this.#stopped) return;
    const delayMs = this.#jittered(afterMs);
    const dueMs = this.#context.clock.now() + delayMs;
    if (this.#next && this.#next.dueMs <= dueMs) return;
    this.#next?.cancel();
    const cancel = this.#context.timers.after(delayMs, () => {
      this.#next = undefined;
      this.#wake();
    });
    this.#next = { dueMs, cancel };
  }

  /** A new connection: nothing is under way on it. */
  clear(): void {
    this.#attempts.clear();
    for (const { cancel } of this.#waits.values()) cancel?.();
    this.#waits.clear();
  }

  stop(): void {
    this.#stopped = true;
    this.clear();
    this.#next?.cancel();
  }

  /** What a relay asks for is waited for, an hour at most: it could ask for a month, or for more than a timer can hold. */
  #jittered(afterMs: number): number {
    return Math.min(afterMs, limits.retryAfterMaxMs) * (1 + randomFraction(this.#context.randomBytes) / 2);
  }
}
