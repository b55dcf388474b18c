import { createHash } from 'node:crypto';
import type { Runtime } from '@waxwing/protocol';

/** Virtual time and seeded randomness: the same seed and the same calls give the same run. */
export type ManualRuntime = Runtime & {
  /** Moves time on, calling each timer that falls due at its own time, in order. Timers set meanwhile are included. */
  advance(ms: number): void;
  /** Like `advance`, but lets promises settle before the first and after each timer. */
  advanceAsync(ms: number): Promise<void>;
  /** Steps the wall clock either way; timers keep their distance. */
  stepClock(ms: number): void;
  /** How long until the next timer, or undefined if none is set. */
  untilNextTimer(): number | undefined;
  /** Virtual time since the start, whatever the wall clock was stepped by. */
  elapsedMs(): number;
  /** How many timers are set. */
  readonly timersSet: number;
};

type Timer = { readonly due: number; readonly order: number; readonly call: () => void };

/** 1 January 2026. */
const START_MS = Date.UTC(2026, 0, 1);

export function createManualRuntime(o: { nowMs?: number; seed?: number | string } = {}): ManualRuntime {
  let elapsed = 0;
  let offset = o.nowMs ?? START_MS;
  let order = 0;
  let timers: Timer[] = [];

  const next = (): Timer | undefined =>
    timers.reduce<Timer | undefined>(
      (first, timer) =>
        first === undefined || timer.due < first.due || (timer.due === first.due && timer.order < first.order)
          ? timer
          : first,
      undefined,
    );
  const fireNext = (until: number): boolean => {
    const timer = next();
    if (timer === undefined || timer.due > until) return false;
    timers = timers.filter((other) => other !== timer);
    elapsed = Math.max(elapsed, timer.due);
    timer.call();
    return true;
  };

  return {
    clock: { now: () => Math.floor(offset + elapsed) },
    timers: {
      after(delayMs, call) {
        const timer = { due: elapsed + Math.max(0, delayMs), order: order++, call };
        timers.push(timer);
        return () => {
          timers = timers.filter((other) => other !== timer);
        };
      },
    },
    randomBytes: seededBytes(String(o.seed ?? 1)),
    advance(ms) {
      const until = elapsed + ms;
      while (fireNext(until));
      elapsed = until;
    },
    async advanceAsync(ms) {
      const until = elapsed + ms;
      do await settle();
      while (fireNext(until));
      elapsed = until;
      await settle();
    },
    stepClock(ms) {
      offset += ms;
    },
    untilNextTimer() {
      const timer = next();
      return timer && timer.due - elapsed;
    },
    elapsedMs: () => elapsed,
    get timersSet() {
      return timers.length;
    },
  };
}

/** A stream of bytes that depends on the seed alone. */
export function seededBytes(seed: string): (length: number) => Uint8Array {
  let block = 0;
  let rest = Buffer.alloc(0);
  return (length) => {
    const parts = [rest];
    let have = rest.length;
    while (have < length) {
      const more = createHash('sha256').update(`${seed}\0${block++}`).digest();
      parts.push(more);
      have += more.length;
    }
    const all = Buffer.concat(parts);
    rest = all.subarray(length);
    return Uint8Array.from(all.subarray(0, length));
  };
}

/** Lets everything that is ready to run, run. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
