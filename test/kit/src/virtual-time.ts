import type { ManualRuntime } from './manual-runtime.ts';

/** Moves virtual time on, and knows when everything that could happen without more of it has happened. */
export type VirtualTime = {
  /** Lets everything settle; virtual time stands still. */
  readonly settle: () => Promise<void>;
  /** Moves virtual time on, letting everything settle at each timer. */
  readonly run: (ms: number) => Promise<void>;
  /** Runs until the condition holds. Rejects after a virtual minute. */
  readonly until: (condition: () => boolean) => Promise<void>;
  /** The promise's outcome; virtual time goes on meanwhile. Rejects after a virtual minute. */
  readonly wait: <T>(promise: Promise<T>) => Promise<T>;
  /** Makes a call that the event loop does not show, as a native one. Settling waits for its end: it must need no virtual time. */
  readonly counted: <T>(call: () => Promise<T>) => Promise<T>;
  /** Runs a task in a later turn, behind those that were given before. Settling waits for it. */
  readonly later: (task: () => void) => void;
};

/** How many turns in a row of the event loop must bring nothing. */
const TURNS_OF_REST = 8;
const STEP_MS = 50;
const PATIENCE_MS = 60_000;

export function createVirtualTime(runtime: ManualRuntime): VirtualTime {
  let busy = 0;

  async function settle(): Promise<void> {
    for (let quiet = 0; quiet < TURNS_OF_REST; quiet += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (busy > 0) quiet = 0;
    }
  }

  async function run(ms: number): Promise<void> {
    const end = runtime.elapsedMs() + ms;
    await settle();
    for (let next = runtime.untilNextTimer(); next !== undefined; next = runtime.untilNextTimer()) {
      if (runtime.elapsedMs() + next > end) break;
      runtime.advance(next);
      await settle();
    }
    // Another run may have gone further meanwhile.
    runtime.advance(Math.max(0, end - runtime.elapsedMs()));
    await settle();
  }

  async function until(condition: () => boolean): Promise<void> {
    await settle();
    for (let passedMs = 0; !condition(); passedMs += STEP_MS) {
      if (passedMs > PATIENCE_MS) throw new Error(`not within a virtual minute: ${String(condition)}`);
      await run(STEP_MS);
    }
  }

  return {
    settle,
    run,
    until,
    async wait(promise) {
      const state = { isOpen: true };
      const end = (): void => void (state.isOpen = false);
      promise.then(end, end);
      await settle();
      for (let passedMs = 0; state.isOpen; passedMs += STEP_MS) {
        if (passedMs > PATIENCE_MS) throw new Error('a promise is still open after a virtual minute');
        await run(STEP_MS);
      }
      return promise;
    },
    async counted(call) {
      busy += 1;
      try {
        return await call();
      } finally {
        busy -= 1;
      }
    },
    later(task) {
      busy += 1;
      setImmediate(() => {
        busy -= 1;
        task();
      });
    },
  };
}
