import { inMiB, type Own, type Tally } from './row.ts';
import { collectGarbage } from './vitals.ts';

const CASE_MAX_CPU_MS = 1_000;
/** V8 gives pages that it has emptied back within some seconds, and not by one collection alone. */
const GIVEN_BACK_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 250;

/** Watches this process while it is attacked: the processor time of each case, its memory, and what nobody caught. */
export type OwnWatch = {
  /** Runs one case, and says who took too long. */
  timed<T>(what: () => string, run: () => T): T;
  timedAsync<T>(what: () => string, run: () => Promise<T>): Promise<T>;
  /** What was attacked did its work after a case. */
  alive(): void;
  /** Tells what was uncaught since the last call. */
  tellUncaught(what: string): void;
  end(): Promise<Own>;
};

export function watchOwn(tally: Tally): OwnWatch {
  collectGarbage();
  const before = process.memoryUsage.rss();
  let peak = before;
  let [timed, slowest, signsOfLife] = [0, 0, 0];
  const uncaught: unknown[] = [];
  const onUncaught = (error: unknown): number => uncaught.push(error);
  process.on('uncaughtException', onUncaught);
  process.on('unhandledRejection', onUncaught);

  const timer = (what: () => string) => {
    const began = process.cpuUsage();
    return (): void => {
      const { user, system } = process.cpuUsage(began);
      const cpuMs = (user + system) / 1_000;
      timed += 1;
      slowest = Math.max(slowest, cpuMs);
      if (timed % 64 === 0) peak = Math.max(peak, process.memoryUsage.rss());
      if (cpuMs > CASE_MAX_CPU_MS) tally.found(`${what()}: ${cpuMs} ms of processor`);
    };
  };

  return {
    timed(what, run) {
      const stop = timer(what);
      try {
        return run();
      } finally {
        stop();
      }
    },
    async timedAsync(what, run) {
      const stop = timer(what);
      try {
        return await run();
      } finally {
        stop();
      }
    },
    alive: () => void (signsOfLife += 1),
    tellUncaught(what) {
      for (const error of uncaught.splice(0)) tally.found(`${what}: uncaught: ${String(error)}`);
    },
    async end() {
      this.tellUncaught('after the last case');
      process.off('uncaughtException', onUncaught);
      process.off('unhandledRejection', onUncaught);
      peak = Math.max(peak, process.memoryUsage.rss());
      const now = await givenBack(before);
      return {
        residentGrowthMiB: inMiB(now - before),
        peakMiB: inMiB(peak),
        timed,
        slowestCaseCpuMs: Math.round(slowest),
        signsOfLife,
      };
    },
  };
}

/** What this process holds when all is collected and given back, or after some seconds. */
async function givenBack(before: number): Promise<number> {
  for (let leftMs = GIVEN_BACK_WITHIN_MS; ; leftMs -= LOOK_EVERY_MS) {
    collectGarbage();
    const now = process.memoryUsage.rss();
    if (now <= before || leftMs <= 0) return now;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
