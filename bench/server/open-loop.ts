import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../../test/support/cli.ts';
import { quantile, stretch, warmUp, type Figures } from './measure.ts';
import { delivered, settle, withPairs } from './online.ts';
import type { Pair } from './pair.ts';
import type { Kind } from './process.ts';

const DELAY = 'waxwing_relay_event_loop_delay_seconds{quantile="0.99"}';
const WARM_SECONDS = 2;
/** In flight at each pair while the highest rate is looked for. */
const WINDOW = 4;

/**
 * Messages fall due at half of the highest rate, whether or not those before have arrived: how long each took from when
 * it was due, and how late a relay's event loop ran meanwhile. With `slowSyncMs`, each fsync and fdatasync of the
 * server takes so much longer; `delayedCalls` says how many did.
 */
export async function openLoop(
  kind: Kind,
  o: { readonly seconds: number; readonly profiles?: string; readonly slowSyncMs?: number },
): Promise<Figures> {
  const slow = o.slowSyncMs === undefined ? undefined : slowSync(o.slowSyncMs);
  try {
    return await withPairs(kind, { ...o, env: slow?.env ?? {} }, async (server, pairs) => {
      for (const pair of pairs) pair.keepInFlight(WINDOW);
      await warmUp(() => delivered(pairs));
      const most = await stretch(server, () => delivered(pairs), WARM_SECONDS);
      await settle(pairs);
      const perSecond = Math.floor((most.perSecond ?? 0) / 2);
      await open(pairs, perSecond, WARM_SECONDS);
      // What it tells is of the time since it was asked before.
      const loopMs = async (): Promise<number> => ((await server.metric(DELAY)) ?? NaN) * 1_000;
      if (kind === 'waxwing') await loopMs();
      const calls = slow?.calls() ?? 0;
      const latencies = await open(pairs, perSecond, o.seconds);
      return {
        perSecond,
        p50Ms: quantile(latencies, 0.5),
        p99Ms: quantile(latencies, 0.99),
        ...(kind === 'waxwing' && { loopP99Ms: await loopMs() }),
        ...(slow && { delayedCalls: slow.calls() - calls }),
      };
    });
  } finally {
    slow?.remove();
  }
}

/** Lets messages fall due for so long, spread over the pairs; how late each came, in ms. */
async function open(pairs: readonly Pair[], perSecond: number, seconds: number): Promise<readonly number[]> {
  const latencies: number[] = [];
  for (const pair of pairs) pair.onLatency = (ms) => void latencies.push(ms);
  const all = Math.round(perSecond * seconds);
  const beganMs = performance.now();
  for (let index = 0; index < all;) {
    const nowMs = performance.now();
    for (; index < all && beganMs + (index * 1_000) / perSecond <= nowMs; index += 1) {
      pairs[index % pairs.length]?.send(beganMs + (index * 1_000) / perSecond);
    }
    await setTimeout(1);
  }
  await settle(pairs);
  return latencies;
}

/** A library that makes each sync of a process slow and counts them in a file that it maps. */
function slowSync(delayMs: number) {
  const { path, remove } = temporaryFolder('slow-sync');
  const [library, counter] = [join(path, 'slow-sync.so'), join(path, 'calls')];
  const source = fileURLToPath(new URL('slow-sync.c', import.meta.url));
  execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, source, '-ldl']);
  writeFileSync(counter, new Uint8Array(8));
  return {
    env: { LD_PRELOAD: library, SLOW_SYNC_US: String(delayMs * 1_000), SLOW_SYNC_CALLS: counter },
    calls: (): number => Number(readFileSync(counter).readBigUInt64LE()),
    remove,
  };
}
