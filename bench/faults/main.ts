import { endProcesses } from '../../test/support/processes.ts';
import { faultNames, proveFault } from './faults.ts';

// npm run proof:faults [-- RUNS [SEED [FAULT…]]]: so many runs (50) of each fault on real processes. One JSON line each. All of
// them if none is named, and what is weakened so that the proof must see it: `ok` is then that it does. Most of a run is
// waiting: several faults run at a time, each with processes and folders of its own.

const AT_A_TIME = 4;
/** Ends every process that was started here when it is over. */
const ALONE = 'F1-all';

const [runs = '50', seed = '1', ...asked] = process.argv.slice(2);
const wrong = asked.filter((name) => !faultNames.includes(name));
if (wrong.length > 0) throw new Error(`no fault ${wrong.join(', ')}; there are ${faultNames.join(', ')}`);
// The processes that were started end with this one.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const names = asked.length > 0 ? asked : faultNames;
async function prove(waiting: string[]): Promise<boolean[]> {
  const held: boolean[] = [];
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const report = await proveFault(name, { runs: Number(runs), seed: Number(seed) });
    process.stdout.write(`${JSON.stringify(report)}\n`);
    held.push(report.ok);
  }
  return held;
}
const alone = await prove(names.filter((name) => name === ALONE));
const others = names.filter((name) => name !== ALONE);
const held = await Promise.all(Array.from({ length: AT_A_TIME }, () => prove(others)));
await endProcesses();
process.exit([...alone, ...held.flat()].every(Boolean) ? 0 : 1);
