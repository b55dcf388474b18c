/**
 * One process of the simulation proofs: `worker.ts FROM TO STEP TIMES KIND`. Runs each seed of a kind of plan so often and prints a JSON line
 * for each.
 */
import { planOf } from '../../test/simulation/plan.ts';
import { simulate, type Outcome } from '../../test/simulation/world.ts';

export type SeedReport = Pick<Outcome, 'said' | 'filled' | 'violations' | 'lies' | 'verdicts'> & {
  readonly seed: number;
  readonly real: boolean;
  readonly fired: readonly string[];
  /** One for each run of the seed: they must be equal. */
  readonly traceHashes: readonly string[];
};

const [from = 1, to = 1, step = 1, times = 2] = process.argv.slice(2, 6).map(Number);
const [kind = 'faults'] = process.argv.slice(6);
for (let seed = from; seed <= to; seed += step) {
  const plan = planOf(kind, seed);
  const runs = [await simulate(plan)];
  while (runs.length < times) runs.push(await simulate(plan));
  const [run] = runs;
  if (run === undefined) throw new RangeError('at least once');
  const { said, filled, violations, lies, verdicts } = run;
  const report: SeedReport = {
    seed,
    real: plan.real,
    said,
    filled,
    lies,
    verdicts,
    fired: [...run.fired].sort(),
    violations,
    traceHashes: runs.map(({ traceHash }) => traceHash),
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
process.exit(0);
