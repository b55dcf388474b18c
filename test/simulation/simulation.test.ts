import { expect, test } from 'vitest';
import { RunningProcess } from '../support/processes.ts';

const SEEDS = Number(process.env.WAXWING_PROOF_SEEDS ?? 200);
const TWICE = 10;
const TIMEOUT_MS = 900_000;

/** Runs seeds in processes of their own; answers what the proof prints. */
async function prove(seeds: number, times: number): Promise<{ lines: readonly string[]; report: object }> {
  const args = [String(seeds), '1', '2', String(times)];
  const proof = new RunningProcess('bench/simulation/main.ts', args);
  await proof.exit(TIMEOUT_MS);
  const lines = proof.lines.filter((line) => line.startsWith('{'));
  return { lines: lines.slice(0, -1), report: JSON.parse(lines.at(-1) ?? '{}') as object };
}

test(
  'whatever fails, each message ends once and in one order on both devices, or as a hole',
  async () => {
    const { lines, report } = await prove(SEEDS, 1);
    expect(lines).toEqual([]);
    expect(report).toMatchObject({ ok: true, seeds: SEEDS, violatedSeeds: 0, rareFaults: [] });
  },
  TIMEOUT_MS,
);

test(
  'one seed gives one trace',
  async () => {
    const { report } = await prove(TWICE, 2);
    expect(report).toMatchObject({ seeds: TWICE, differingTraces: 0, violatedSeeds: 0 });
  },
  TIMEOUT_MS,
);
