/** One process of the simulation proof: `worker.ts FROM TO STEP TIMES`. Runs each seed so often and prints a JSON line for each. */
import { simulate } from '../../test/simulation/world.ts';

export type SeedReport = {
  readonly seed: number;
  readonly real: boolean;
  readonly said: number;
  readonly fired: readonly string[];
  readonly violations: readonly string[];
  /** One for each run of the seed: they must be equal. */
  readonly traceHashes: readonly string[];
};

const [from = 1, to = 1, step = 1, times = 2] = process.argv.slice(2).map(Number);
for (let seed = from; seed <= to; seed += step) {
  const runs = [await simulate(seed)];
  while (runs.length < times) runs.push(await simulate(seed));
  const [run] = runs;
  if (run === undefined) throw new RangeError('at least once');
  const report: SeedReport = {
    seed,
    real: run.plan.real,
    said: run.said,
    fired: [...run.fired].sort(),
    violations: run.violations,
    traceHashes: runs.map(({ traceHash }) => traceHash),
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
process.exit(0);
