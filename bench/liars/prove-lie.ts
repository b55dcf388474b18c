import { runSeeds, seedsFrom } from '../simulation/workers.ts';
import type { SeedReport } from '../simulation/worker.ts';

export type LieReport = {
  readonly proof: 'liars';
  readonly lie: string;
  readonly ok: boolean;
  /** Runs in which it was told, and how often in all. */
  readonly runs: number;
  /** The seeds that were tried. */
  readonly seeds: { readonly first: number; readonly last: number };
  readonly lies: number;
  /** How many messages stood how, at the end. */
  readonly verdicts: Readonly<Record<string, number>>;
  /** Runs in which all stood as said, though it was told: refused, repaired, or made good. */
  readonly unharmedRuns: number;
  /** What failed, of the first runs that did. */
  readonly violations: readonly { readonly seed: number; readonly violations: readonly string[] }[];
  readonly violatedRuns: number;
  readonly seconds: number;
};

/** Not every run gives an opportunity: so many more are tried. */
const TRIES = 5;
const SHOWN = 5;

export async function proveLie(
  lie: string,
  o: { readonly runs: number; readonly first: number; readonly workers: number },
): Promise<LieReport> {
  const began = performance.now();
  const told: SeedReport[] = [];
  let tried = 0;
  while (told.length < o.runs && tried < o.runs * TRIES) {
    const count = o.runs - told.length;
    await runSeeds({ workers: o.workers, times: 1, kind: lie }, seedsFrom(o.first + tried, count), (report) => {
      if (report.lies > 0 || report.violations.length > 0) told.push(report);
    });
    tried += count;
  }
  const verdicts: Record<string, number> = {};
  for (const report of told) {
    for (const [verdict, count] of Object.entries(report.verdicts ?? {})) {
      verdicts[verdict] = (verdicts[verdict] ?? 0) + count;
    }
  }
  const violated = told.filter(({ violations }) => violations.length > 0);
  const isUnharmed = ({ verdicts: all, said }: SeedReport): boolean => all?.['as said'] === said;
  return {
    proof: 'liars',
    lie,
    ok: violated.length === 0 && told.length >= o.runs,
    runs: told.length,
    seeds: { first: o.first, last: o.first + tried - 1 },
    lies: told.reduce((sum, report) => sum + report.lies, 0),
    verdicts,
    unharmedRuns: told.filter(isUnharmed).length,
    violations: violated.slice(0, SHOWN).map(({ seed, violations }) => ({ seed, violations })),
    violatedRuns: violated.length,
    seconds: Math.round((performance.now() - began) / 1_000),
  };
}
