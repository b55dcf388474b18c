/**
 * `npm run proof:hostile [-- SCALE SEED ROW…]`: hostile input, at so much of the counts of a release (1), from a seed (1), in
 * all rows or those named. Prints a JSON line for each row; exit code 0 if every case met every condition.
 */
import { rowNames, type RowName } from './row.ts';
import { rows, runRow } from './rows.ts';

const [scale = 1, seed = 1] = process.argv.slice(2, 4).map(Number);
const wanted = process.argv.slice(4);
const isRow = (name: string): name is RowName => rowNames.some((row) => row === name);
if (!(scale > 0) || !Number.isInteger(seed) || !wanted.every(isRow)) {
  process.stderr.write(`SCALE above 0, SEED an integer, ROW one of ${rowNames.join(' ')}\n`);
  process.exit(2);
}

let ok = true;
for (const name of rowNames) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const began = performance.now();
  const cases = Math.max(1, Math.round(rows[name].perRelease * scale));
  // A row listens for what nobody catches: what it throws itself would be taken for that, and end this process in silence.
  const report = await runRow(name, { cases, seed }, 'release').catch((error: unknown) => {
    process.stderr.write(`${name}: ${error instanceof Error ? (error.stack ?? '') : String(error)}\n`);
    process.exit(1);
  });
  const isOk = report.findings.length === 0;
  ok &&= isOk;
  const seconds = Math.round((performance.now() - began) / 1_000);
  process.stdout.write(`${JSON.stringify({ proof: 'hostile', ok: isOk, ...report, seconds })}\n`);
}
process.exit(ok ? 0 : 1);
