/**
 * `npm run proof:honest [-- MESSAGES FIRST]`: so many messages (1,000,000), from a first seed (1), in conversations of which nobody lies, over networks
 * that fail and processes that crash: none may be lost, and none may be taken for a lie. Prints a JSON line for each seed that
 * fails, then one with the counts; exit code 0 if there was none.
 */
import { runSeeds } from '../simulation/workers.ts';

const WORKERS = 2;
const [wanted = 1_000_000, first = 1] = process.argv.slice(2).map(Number);
const began = performance.now();
let messages = 0;
let given = 0;
let seeds = 0;
let failed = 0;
let alarms = 0;
const next = (): number | undefined => (messages < wanted && failed === 0 ? first + given++ : undefined);
await runSeeds({ workers: WORKERS, times: 1, kind: 'honest' }, next, (report) => {
  seeds += 1;
  messages += report.said;
  alarms += report.violations.filter((violation) => violation.includes('alarm')).length;
  if (report.violations.length === 0) return;
  failed += 1;
  process.stdout.write(`${JSON.stringify({ seed: report.seed, violations: report.violations.slice(0, 20) })}\n`);
});
const seconds = Math.round((performance.now() - began) / 1_000);
const ok = failed === 0 && messages >= wanted;
process.stdout.write(
  `${JSON.stringify({ proof: 'honest', ok, messages, alarms, first, seeds, failedSeeds: failed, seconds })}\n`,
);
process.exit(ok ? 0 : 1);
