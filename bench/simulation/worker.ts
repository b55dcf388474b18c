/**
 * One process of the simulation proofs: `worker.ts TIMES KIND`. Runs each seed that it reads, one a line, so often in this kind
 * of plan, and prints a JSON line for each.
 */
import { createInterface } from 'node:readline';
import { planOf } from '../../test/simulation/plan.ts';
import { simulate, type Outcome } from '../../test/simulation/world.ts';

export type SeedReport = Pick<Outcome, 'said' | 'filled' | 'violations' | 'lies' | 'verdicts'> & {
  readonly seed: number;
  readonly real: boolean;
  readonly fired: readonly string[];
  /** One for each run of the seed: they must be equal. */
  readonly traceHashes: readonly string[];
  /** Where the traces of two runs part: the line of each, if they do. */
  readonly parted?: readonly (string | undefined)[];
};

function partOf(traces: readonly (readonly string[])[]): readonly (string | undefined)[] | undefined {
  const [first = [], ...others] = traces;
  for (const other of others) {
    const at = Array.from({ length: Math.max(first.length, other.length) }).findIndex((_, i) => first[i] !== other[i]);
    if (at >= 0) return [first[at], other[at]];
  }
  return undefined;
}

const [times = '2', kind = 'faults'] = process.argv.slice(2);
for await (const line of createInterface({ input: process.stdin })) {
  const seed = Number(line);
  const plan = planOf(kind, seed);
  const keepTrace = Number(times) > 1;
  const runs = [await simulate(plan, { keepTrace })];
  while (runs.length < Number(times)) runs.push(await simulate(plan, { keepTrace }));
  const [run] = runs;
  if (run === undefined) throw new RangeError('at least once');
  const { said, filled, violations, lies, verdicts } = run;
  const parted = partOf(runs.map(({ trace }) => trace));
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
    ...(parted && { parted }),
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
process.exit(0);
