import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { SeedReport } from './worker.ts';

export type Seeds = {
  readonly first: number;
  readonly count: number;
  readonly workers: number;
  /** How often each is run. */
  readonly times: number;
  /** Which kind of plan: `faults`, `honest`, or a lie. */
  readonly kind: string;
};

/** Runs seeds in processes of their own: each has every so many-th, so that all have a like share of the slow ones. */
export async function runSeeds(o: Seeds, took: (report: SeedReport) => void): Promise<void> {
  const script = new URL('./worker.ts', import.meta.url).pathname;
  const run = (index: number): Promise<void> => {
    const args = [o.first + index, o.first + o.count - 1, o.workers, o.times].map(String);
    const child = spawn(process.execPath, [...process.execArgv, script, ...args, o.kind], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface({ input: child.stdout }).on('line', (line) => took(JSON.parse(line) as SeedReport));
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))));
    });
  };
  await Promise.all(Array.from({ length: o.workers }, (_, index) => run(index)));
}
