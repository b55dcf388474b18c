/**
 * `npm run proof:liars [-- RUNS FIRST LIE…]`: each way in which a relay or a keyserver may lie, or those that are named, in so
 * many runs (1,000) in which it did, from a first seed (1). When each has spoken again, every message must stand as it was said, or show that it does
 * not: as a hole, an alert, or as not sent; nothing may stand that was not said, and no ciphertext be made for a device
 * that its account never listed. Prints a JSON line for each run that fails and for each lie; exit code 0 if none failed.
 */
import { lies } from '../../test/simulation/plan.ts';
import { proveLie } from './prove-lie.ts';

const [runs = 1_000, first = 1] = process.argv.slice(2, 4).map(Number);
const named = process.argv.slice(4);
if (!Number.isInteger(runs) || !Number.isInteger(first) || !named.every((name) => Object.hasOwn(lies, name))) {
  process.stderr.write(`RUNS and FIRST integers, LIE one of ${Object.keys(lies).join(', ')}\n`);
  process.exit(2);
}
let isOk = true;
for (const lie of named.length > 0 ? named : Object.keys(lies)) {
  const report = await proveLie(lie, { runs, first, workers: 2 });
  isOk &&= report.ok;
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
process.exit(isOk ? 0 : 1);
