/**
 * `npm run proof:simulation [-- SEEDS FIRST WORKERS TIMES KIND]`: runs so many seeds (5,000) from the first (1), each twice, in
 * processes of its own (2); each must hold what was promised, and give the same trace both times. Prints a JSON line for each seed that
 * does not, then one with the counts; exit code 0 if there was none and every fault fired in at least 5 % of the seeds.
 * How far it is goes to the error output.
 */
import { faults } from '../../test/simulation/plan.ts';
import type { SeedReport } from './worker.ts';
import { runSeeds, seedsFrom } from './workers.ts';

const [seeds = 5_000, first = 1, workers = 2, times = 2] = process.argv.slice(2, 6).map(Number);
const [kind = 'faults'] = process.argv.slice(6);
const SHARE = 0.05;
const SEEDS_PER_WORD = 100;

const began = performance.now();
const fired = new Map<string, number>();
const failed: number[] = [];
let ran = 0;
let said = 0;
let filled = 0;
let real = 0;
let differing = 0;

function take(report: SeedReport): void {
  ran += 1;
  said += report.said;
  filled += report.filled;
  if (report.real) real += 1;
  for (const fault of report.fired) fired.set(fault, (fired.get(fault) ?? 0) + 1);
  const differs = new Set(report.traceHashes).size > 1;
  if (differs) differing += 1;
  if (report.violations.length > 0 || differs) {
    failed.push(report.seed);
    process.stdout.write(`${JSON.stringify(report)}\n`);
  }
  if (ran % SEEDS_PER_WORD === 0) process.stderr.write(`${ran} of ${seeds} seeds, ${failed.length} failed\n`);
}

await runSeeds({ workers, times, kind }, seedsFrom(first, seeds), take);
/** A crash may be that of the machine: what did not wait for the disk is gone with it. */
const counted = kind === 'faults' ? [...faults, 'power cut', 'arrival behind the end'] : [...fired.keys()];
const shares = Object.fromEntries(counted.map((fault) => [fault, Math.round((countOf(fault) / ran) * 1_000) / 10]));
const rare = kind !== 'faults' ? [] : counted.filter((fault) => countOf(fault) < ran * SHARE);
process.stdout.write(
  `${JSON.stringify({
    proof: 'simulation',
    ok: failed.length === 0 && rare.length === 0 && ran === seeds,
    first,
    seeds: ran,
    realSeeds: real,
    messages: said,
    holesFilled: filled,
    violatedSeeds: failed.length,
    differingTraces: differing,
    percentOfSeedsWithFault: shares,
    rareFaults: rare,
    seconds: Math.round((performance.now() - began) / 1_000),
  })}\n`,
);
process.exit(failed.length === 0 && rare.length === 0 && ran === seeds ? 0 : 1);

/** A fault that has kinds counts as one. */
function countOf(fault: string): number {
  if (fault === 'crash at a commit') {
    return Math.max(fired.get('crash before a commit') ?? 0, fired.get('crash after a commit') ?? 0);
  }
  return fired.get(fault) ?? 0;
}
