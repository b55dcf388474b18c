import { setTimeout } from 'node:timers/promises';
import type { Server } from './process.ts';

/** What one run of a row found: figures by name; every run of a kind has the same names. */
export type Figures = Readonly<Record<string, number>>;

/** Rate and cost of a stretch of time: `count` says how many messages there were so far. */
export async function stretch(server: Server, count: () => number, seconds: number): Promise<Figures> {
  const [beganMs, from, cpuUs] = [performance.now(), count(), server.cpuUs()];
  const ownUs = ownCpuUs();
  await setTimeout(seconds * 1_000);
  const [tookMs, messages] = [performance.now() - beganMs, count() - from];
  return {
    perSecond: (messages * 1_000) / tookMs,
    cpuUs: (server.cpuUs() - cpuUs) / messages,
    serverBusy: (server.cpuUs() - cpuUs) / (tookMs * 1_000),
    generatorBusy: (ownCpuUs() - ownUs) / (tookMs * 1_000),
  };
}

/** What is compiled only after some use, and caches that fill, are no part of what is measured. */
const WARM_MESSAGES = 20_000;
const WARM_MIN_MS = 1_000;
const WARM_MAX_MS = 8_000;

/** Resolves when the server has had enough to do to be as fast as it gets. */
export async function warmUp(count: () => number): Promise<void> {
  const beganMs = performance.now();
  const passedMs = (): number => performance.now() - beganMs;
  while (passedMs() < WARM_MIN_MS || (count() < WARM_MESSAGES && passedMs() < WARM_MAX_MS)) await setTimeout(50);
}

function ownCpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Resolves when it holds; throws after so long. */
export async function until(holds: () => boolean, what: string, withinMs = 60_000): Promise<void> {
  for (const beganMs = performance.now(); !holds();) {
    if (performance.now() - beganMs > withinMs) throw new Error(`${what}: not within ${withinMs} ms`);
    await setTimeout(5);
  }
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value that so large a part of them does not exceed. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? NaN;
}
