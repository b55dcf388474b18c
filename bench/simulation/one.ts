/**
 * `npm run simulate -- SEED [KIND]`: replays one seed, of a lie or of `honest` if that is named, and prints what happened.
 * Exit code 1 if something was violated.
 */
import { planOf } from '../../test/simulation/plan.ts';
import { simulate } from '../../test/simulation/world.ts';

const seed = Number(process.argv[2] ?? '1');
const plan = planOf(process.argv[3] ?? 'faults', seed);
const { violations, trace, traceHash, said, lies, verdicts } = await simulate(plan, { keepTrace: true });
for (const line of trace) process.stdout.write(`${line}\n`);
process.stdout.write(
  `\nseed ${seed}: ${said} messages, ${plan.real ? 'libsignal' : 'test crypto'}, faults: ${[...plan.faults].join(', ')}\n`,
);
if (verdicts) process.stdout.write(`${plan.lie}: ${lies} lies, ${JSON.stringify(verdicts)}\n`);
process.stdout.write(`trace ${traceHash}\n`);
for (const violation of violations) process.stdout.write(`VIOLATED ${violation}\n`);
process.exitCode = violations.length > 0 ? 1 : 0;
