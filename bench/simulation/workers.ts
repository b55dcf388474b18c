import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { SeedReport } from './worker.ts';

export type Runs = {
  readonly workers: number;
  /** How often each seed is run. */
  readonly times: number;
  /** Which kind of plan: `faults`, `honest`, or a lie. */
  readonly kind: string;
};

/** So many seeds from the first, one at each call. */
export function seedsFrom(first: number, count: number): () => number | undefined {
  let next = first;
  return () => (next < first + count ? next++ : undefined);
}

/** Runs seeds in processes of their own, each of which takes another whenever it is done with one, until there is none. */
export async function runSeeds(
  o: Runs,
  next: () => number | undefined,
  took: (report: SeedReport) => void,
): Promise<void> {
  const script = new URL('./worker.ts', import.meta.url).pathname;
  const run = (): Promise<void> => {
    const child = spawn(process.execPath, [...process.execArgv, script, String(o.times), o.kind], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const give = (): void => {
      const seed = next();
      if (seed === undefined) child.stdin.end();
      else child.stdin.write(`${seed}\n`);
    };
    // A process that is gone is told of by how it ended.
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (line) => {
      took(JSON.parse(line) as SeedReport);
      give();
    });
    give();
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))));
    });
  };
  await Promise.all(Array.from({ length: o.workers }, run));
}
