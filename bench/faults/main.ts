import { endProcesses } from '../../test/support/processes.ts';
import { faultNames, proveFault } from './faults.ts';

// npm run proof:faults [-- RUNS [SEED [FAULT…]]]: so many runs (50) of each fault on real processes. One JSON line each.

const [runs = '50', seed = '1', ...asked] = process.argv.slice(2);
const wrong = asked.filter((name) => !faultNames.includes(name));
if (wrong.length > 0) throw new Error(`no fault ${wrong.join(', ')}; there are ${faultNames.join(', ')}`);
let holds = true;
for (const name of asked.length > 0 ? asked : faultNames) {
  const report = await proveFault(name, { runs: Number(runs), seed: Number(seed) });
  process.stdout.write(`${JSON.stringify(report)}\n`);
  holds &&= report.ok;
}
await endProcesses();
process.exit(holds ? 0 : 1);
