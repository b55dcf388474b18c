/**
 * `waxwing serve` with these arguments, in a process that tells of itself: at a line on its input it collects garbage and prints what
 * it holds and how late its event loop ran since the last time, as a JSON line.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { runWaxwing } from '../../cli/src/run.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();

process.stdin.on('data', () => {
  const loopDelayP999Ms = Math.round(delay.percentile(99.9) / 1e5) / 10;
  collect();
  collect();
  process.stdout.write(
    `${JSON.stringify({ pid: process.pid, residentBytes: process.memoryUsage.rss(), loopDelayP999Ms })}\n`,
  );
  delay.reset();
});

const { stdin, stdout, stderr, env } = process;
const interrupted = (): AbortSignal => new AbortController().signal;
process.exit(await runWaxwing(['serve', ...process.argv.slice(2)], { stdin, stdout, stderr, env, interrupted }));
