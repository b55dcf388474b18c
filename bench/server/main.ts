/**
 * `npm run bench [-- --runs N --seconds S --profile --write ROW…]`: the relay beside a server that forwards bytes unread, in
 * alternating runs (5) of so long (4 s); all rows if none is named. The server has core 0, the generator core 1. Prints one
 * JSON line per row and then the tables; `--profile` adds a run under the profiler, `--write` puts the tables into
 * docs/performance.md. Exit code 1 if a floor does not hold.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../../test/support/cli.ts';
import type { Figures } from './measure.ts';
import { GENERATOR_CORE } from './process.ts';
import { readProfiles } from './profile.ts';
import { reportOf, tables, type RowReport } from './report.ts';
import { rows, type Row } from './rows.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    profile: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
const runs = Number(values.runs);
const seconds = Number(values.seconds);

async function measure(name: string, row: Row): Promise<RowReport> {
  const found: { bare: Figures[]; waxwing: Figures[] } = { bare: [], waxwing: [] };
  for (let run = 0; run < runs; run += 1) {
    if (row.bare) found.bare.push(await row.bare({ seconds }));
    found.waxwing.push(await row.waxwing({ seconds }));
  }
  return reportOf(name, row, found, values.profile && row.bare ? await profile(name, row) : undefined);
}

/** Shares of the parts, of what a message costs the processor in that run. */
async function profile(name: string, row: Row): Promise<Readonly<Record<string, number>>> {
  const { path, remove } = temporaryFolder('profile');
  try {
    const figures = await row.waxwing({ seconds, profiles: path });
    const { us, top } = readProfiles(path);
    const busy = Object.entries(us).filter(([part]) => part !== 'idle' && part !== 'other');
    const whole = busy.reduce((sum, [, took]) => sum + took, 0);
    const all = top.slice(0, 40).map(([what, took]) => `${((100 * took) / whole).toFixed(1)} % ${what}`);
    process.stderr.write(`${name}\n${all.join('\n')}\n`);
    return Object.fromEntries(busy.map(([part, took]) => [part, (took / whole) * (figures.cpuUs ?? NaN)]));
  } finally {
    remove();
  }
}

function write(text: string): void {
  const page = fileURLToPath(new URL('../../docs/performance.md', import.meta.url));
  const marked = /(<!-- bench begins -->\n)[^]*(<!-- bench ends -->)/;
  writeFileSync(
    page,
    readFileSync(page, 'utf8').replace(marked, (_all, begin: string, end: string) => `${begin}\n${text}\n\n${end}`),
  );
  execFileSync('npx', ['prettier', '--write', page], { cwd: join(page, '../..'), stdio: 'ignore' });
}

execFileSync('taskset', ['-a', '-c', '-p', GENERATOR_CORE, String(process.pid)]);
const reports: RowReport[] = [];
for (const name of positionals.length > 0 ? positionals : Object.keys(rows)) {
  const row = rows[name];
  if (!row) throw new Error(`no row ${name}: ${Object.keys(rows).join(', ')}`);
  const lacking = row.lacks?.();
  if (lacking !== undefined) {
    process.stderr.write(`${name} is left out: ${lacking}\n`);
    continue;
  }
  const report = await measure(name, row);
  reports.push(report);
  process.stdout.write(`${JSON.stringify({ bench: 'server', ...report })}\n`);
}
const machine = `${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores (${cpus()[0]?.model ?? ''}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}, ${runs} runs of ${seconds} s each.`;
const text = `${machine}\n\n${tables(reports)}`;
process.stdout.write(`${text}\n`);
if (values.write) write(text);
process.exit(reports.every(({ floors }) => floors.every(({ holds }) => holds)) ? 0 : 1);
