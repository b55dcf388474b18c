/**
 * `npm run bench:history [-- --messages N --keep FOLDER --only TEXT]`: a device's file with so many messages (1,000,000) in
 * 100 conversations, three tenths of them in one and a tenth of all come late, and how long it takes to open it, to read
 * pages of it and to search it. FOLDER keeps the file, and is taken where it has one; TEXT takes only rows that have it in
 * their name.
 *
 * Each row has a process of its own, which measures it through the public API: `cold` is the first time in it, the file being
 * in the system's cache; then come the median and the longest of all. Beside them is the processor time, median and most:
 * on a machine that does other things too it says what the clock cannot. Prints a table
 * on stderr and one JSON line; exit code 0 if nothing took longer than its bound and every search found what is there.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { registerProfile, startServe, temporaryFolder } from '../../test/support/cli.ts';
import { endProcesses, RunningProcess } from '../../test/support/processes.ts';
import { rows, type Row } from './rows.ts';

const HOUR_MS = 3_600_000;
const OPENINGS = 5;

type Took = { readonly wallMs: number; readonly cpuMs: number };
type Measured = { readonly right: boolean; readonly took: readonly Took[] };

async function lineOf(script: string, args: readonly string[]): Promise<unknown> {
  const child = new RunningProcess(`bench/history/${script}.ts`, args);
  child.endInput();
  const { code } = await child.exit(HOUR_MS);
  if (code !== 0) throw new Error(child.errors);
  return JSON.parse(child.lines.at(-1) ?? '');
}

async function build(profile: string, messages: number): Promise<unknown> {
  const { path, remove } = temporaryFolder('history');
  try {
    const { server, url } = await startServe(['--data', join(path, 'relay'), '--port', '0', '--admin-port', 'off']);
    await registerProfile(url, profile);
    server.kill('SIGTERM');
    await server.exit();
  } finally {
    remove();
  }
  return lineOf('build', [profile, String(messages)]);
}

function isMeasured(value: unknown): value is Measured {
  return typeof value === 'object' && value !== null && 'right' in value && 'took' in value;
}

async function measure(profile: string, messages: number, { name, boundMs, kind }: Row) {
  let right = true;
  const took: Took[] = [];
  for (let run = 0; run < (kind === 'open' ? OPENINGS : 1); run += 1) {
    const measured = await lineOf('measure', [profile, String(messages), name]);
    if (!isMeasured(measured)) throw new Error('nothing was measured');
    right &&= measured.right;
    took.push(...measured.took);
  }
  const byWall = [...took].sort((a, b) => a.wallMs - b.wallMs);
  const byCpu = [...took].sort((a, b) => a.cpuMs - b.cpuMs);
  const round = (ms: number | undefined): number => Math.round((ms ?? 0) * 10) / 10;
  const result = {
    name,
    boundMs,
    coldMs: round(took[0]?.wallMs),
    medianMs: round(byWall[byWall.length >> 1]?.wallMs),
    maxMs: round(byWall.at(-1)?.wallMs),
    cpuMs: round(byCpu[byCpu.length >> 1]?.cpuMs),
    maxCpuMs: round(byCpu.at(-1)?.cpuMs),
    right,
  };
  return { ...result, ok: right && result.maxMs < boundMs };
}

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '1000000' },
    keep: { type: 'string' },
    only: { type: 'string', default: '' },
  },
});
const messages = Number(values.messages);
const temporary = temporaryFolder('history');
try {
  const profile = values.keep ?? join(temporary.path, 'profile');
  const built = existsSync(join(profile, 'device.db')) ? null : await build(profile, messages);
  const results = [];
  process.stderr.write('    cold  median     max     cpu cpu max   bound\n');
  for (const row of rows.filter(({ name }) => name.includes(values.only))) {
    const result = await measure(profile, messages, row);
    const columns = [result.coldMs, result.medianMs, result.maxMs, result.cpuMs, result.maxCpuMs, result.boundMs];
    const numbers = columns.map((ms) => ms.toFixed(1).padStart(8)).join('');
    process.stderr.write(`${numbers}  ${row.name}${result.ok ? '' : result.right ? '  TOO LONG' : '  WRONG'}\n`);
    results.push(result);
  }
  const ok = results.every((result) => result.ok);
  const fileBytes = statSync(join(profile, 'device.db')).size;
  process.stdout.write(`${JSON.stringify({ bench: 'history', ok, messages, fileBytes, built, rows: results })}\n`);
  process.exitCode = ok ? 0 : 1;
} finally {
  await endProcesses();
  temporary.remove();
}
