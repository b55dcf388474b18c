/**
 * `npm run proof:liars [-- RUNS LIE…]`: each way in which a relay or a keyserver may lie, or those that are named, in so many
 * runs (1,000) in which it did. When each has spoken again, every message must stand as it was said, or show that it does
 * not: as a hole, an alert, or as not sent; nothing may stand that was not said, and no ciphertext be made for a device
 * that its account never listed. Prints a JSON line for each run that fails and for each lie; exit code 0 if none failed.
 */
import { lies } from '../../test/simulation/plan.ts';
import { proveLie } from './prove-lie.ts';

const [runs = '1000', ...named] = process.argv.slice(2);
let isOk = true;
for (const lie of named.length > 0 ? named : Object.keys(lies)) {
  const report = await proveLie(lie, { runs: Number(runs), workers: 2 });
  isOk &&= report.ok;
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
process.exit(isOk ? 0 : 1);
