/** `npm run simulate -- SEED`: replays one seed and prints what happened. Exit code 1 if something was violated. */
import { simulate } from '../../test/simulation/world.ts';

const seed = Number(process.argv[2] ?? '1');
const { plan, violations, trace, traceHash, said } = await simulate(seed, { keepTrace: true });
for (const line of trace) process.stdout.write(`${line}\n`);
process.stdout.write(
  `\nseed ${seed}: ${said} messages, ${plan.real ? 'libsignal' : 'test crypto'}, faults: ${[...plan.faults].join(', ')}\n`,
);
process.stdout.write(`trace ${traceHash}\n`);
for (const violation of violations) process.stdout.write(`VIOLATED ${violation}\n`);
process.exit(violations.length > 0 ? 1 : 0);
