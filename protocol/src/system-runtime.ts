import { randomBytes } from 'node:crypto';
import type { Runtime } from './runtime.ts';

/** The real clock, timers and random source. Read here and nowhere else. */
export const systemRuntime: Runtime = {
  clock: { now: () => Date.now() },
  timers: {
    after(delayMs, call) {
      const timer = setTimeout(call, delayMs);
      return () => clearTimeout(timer);
    },
  },
  randomBytes: (length) => randomBytes(length),
};
