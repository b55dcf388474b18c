import { seededRandom } from '../../test/support/seeded.ts';
import { proveSteps, type StepsResult } from '../../test/support/steps-proof.ts';

// npm run proof:steps [-- KILLS_PER_STEP [SEED]]: a client killed with -9 at each step of its work. One JSON line.

const [killsPerStep = 200, seed = 1] = process.argv.slice(2).map(Number);
const WORLDS = 2;

const share = Math.ceil(killsPerStep / WORLDS);
const worlds = Array.from({ length: WORLDS }, (_, i) =>
  proveSteps(share, seededRandom(seed * WORLDS + i), ['--import', 'tsx']),
);
const results = await Promise.all(worlds);
const sum = (pick: (result: StepsResult) => number) => results.reduce((total, result) => total + pick(result), 0);
const steps = Object.keys(results[0]?.kills ?? {});
const kills = Object.fromEntries(steps.map((step) => [step, sum((result) => result.kills[step] ?? 0)]));
const faults = {
  lost: sum(({ lost }) => lost),
  duplicated: sum(({ duplicated }) => duplicated),
  outOfOrder: sum(({ outOfOrder }) => outOfOrder),
  cloned: sum(({ cloned }) => cloned),
};
const holds =
  Object.values(faults).every((count) => count === 0) && steps.every((step) => (kills[step] ?? 0) >= killsPerStep);
process.stdout.write(
  `${JSON.stringify({ proof: 'steps', seed, kills, messages: sum(({ messages }) => messages), ...faults, holds })}\n`,
);
process.exitCode = holds ? 0 : 1;
