/**
 * `npm run proof:abuse [-- WHAT…]`: what one who abuses the servers or a client can do to the others, one row each; all
 * rows if none is named. Prints one JSON line per row; exit code 1 if a promise does not hold or a figure is over its limit.
 */
import { counterJumps } from './counter-jumps.ts';
import type { RowReport } from './report.ts';

const rows: Readonly<Record<string, () => Promise<RowReport>>> = {
  'counter-jumps': () => counterJumps({ realJumps: [1, 100, 2_000, 10_000, 24_999, 25_001, 30_000], exhaust: 8 }),
};

const named = process.argv.slice(2);
let held = true;
for (const name of named.length > 0 ? named : Object.keys(rows)) {
  const row = rows[name];
  if (!row) throw new Error(`no row ${name}: ${Object.keys(rows).join(', ')}`);
  const began = performance.now();
  const { broken, over, ...report } = await row();
  const ok = broken.length === 0 && over.length === 0;
  held &&= ok;
  const seconds = Math.round((performance.now() - began) / 1_000);
  process.stdout.write(`${JSON.stringify({ proof: 'abuse', ...report, ok, broken, over, seconds })}\n`);
}
process.exit(held ? 0 : 1);
