import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Twice: what the first round finalises is freed by the second. */
export function collectGarbage(): void {
  collect();
  collect();
}

/** What a process holds after garbage collection, the most that it ever held, and how late its event loop ran. */
export type Vitals = {
  readonly pid: number;
  readonly residentBytes: number;
  readonly peakBytes: number;
  readonly loopDelayP999Ms: number;
  /** The one longest hold-up: a percentile does not see it among a hundred thousand others. */
  readonly loopDelayMaxMs: number;
};

const RESOLUTION_MS = 5;
const tenthMs = (nanoseconds: number): number => Math.round(nanoseconds / 1e5) / 10;

/** Watches this process. Each look tells of the time since the look before; the collection of a look is not part of it. */
export function watchVitals(): () => Vitals {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  return () => {
    const late = { loopDelayP999Ms: tenthMs(delay.percentile(99.9)), loopDelayMaxMs: tenthMs(delay.max) };
    delay.disable();
    collectGarbage();
    const vitals = {
      pid: process.pid,
      residentBytes: process.memoryUsage.rss(),
      peakBytes: process.resourceUsage().maxRSS * 1_024,
      ...late,
    };
    delay.reset();
    delay.enable();
    return vitals;
  };
}
