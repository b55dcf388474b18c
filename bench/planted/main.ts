/**
 * `npm run proof:planted [-- NAME]`: takes each defence away in a copy of the sources, one at a time, and shows what turns
 * red: a seed of the simulation, of the first 200, or named tests. A JSON line for each; exit code 1 if one stays green.
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { plantedBugs as otherBugs, type PlantedBug } from './bugs.ts';
import { ticketBugs } from './ticket-bugs.ts';

const root = join(import.meta.dirname, '../..');
const SEEDS = 200;
const LONGEST_MS = 900_000;
const SKIPPED = new Set(['node_modules', '.git', 'dist', 'coverage']);

/** The sources with packages that name each other in the copy, and all others where they are installed. */
function copySources(): string {
  const copy = mkdtempSync(join(tmpdir(), 'waxwing-planted-'));
  for (const name of readdirSync(root)) {
    if (SKIPPED.has(name)) continue;
    cpSync(join(root, name), join(copy, name), {
      recursive: true,
      filter: (path) => !SKIPPED.has(path.split('/').at(-1) ?? ''),
    });
  }
  const modules = join(copy, 'node_modules');
  mkdirSync(join(modules, '@waxwing'), { recursive: true });
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name !== '@waxwing') symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  for (const name of readdirSync(join(root, 'node_modules/@waxwing'))) {
    symlinkSync(join(copy, name), join(modules, '@waxwing', name));
  }
  return copy;
}

/** The first seed that is violated, and by what. */
function firstSeed(copy: string, kind: string): Promise<{ seed: number; violation: string } | undefined> {
  const args = ['--conditions=waxwing-source', '--import', 'tsx', 'bench/simulation/worker.ts', '1', kind];
  const child = spawn(process.execPath, args, { cwd: copy, stdio: ['pipe', 'pipe', 'ignore'], timeout: LONGEST_MS });
  // It may be brought down before it has read them all.
  child.stdin.on('error', () => undefined);
  child.stdin.end(Array.from({ length: SEEDS }, (_, index) => `${index + 1}\n`).join(''));
  return new Promise((resolve) => {
    let last = 0;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const report = JSON.parse(line) as { seed: number; violations: string[] };
      last = report.seed;
      const [violation] = report.violations;
      if (violation === undefined) return;
      resolve({ seed: report.seed, violation: violation.slice(0, 160) });
      child.kill('SIGKILL');
    });
    // A process that ends before its seeds do was brought down by the next one.
    child.on('exit', (code) => resolve(code === 0 ? undefined : { seed: last + 1, violation: `ended with ${code}` }));
  });
}

function redTests(copy: string, { file, name }: NonNullable<PlantedBug['test']>): string[] {
  const args = ['vitest', 'run', file, '--reporter=json', ...(name ? ['-t', name] : [])];
  const { stdout } = spawnSync('npx', args, { cwd: copy, encoding: 'utf8', timeout: LONGEST_MS, maxBuffer: 2 ** 28 });
  const report = JSON.parse(stdout.slice(stdout.indexOf('{'))) as {
    testResults: { assertionResults: { status: string; fullName: string }[] }[];
  };
  return report.testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName),
  );
}

const plantedBugs = [...otherBugs, ...ticketBugs];
const wanted = process.argv[2];
let green = 0;
for (const bug of plantedBugs) {
  if (wanted !== undefined && !bug.name.includes(wanted)) continue;
  const copy = copySources();
  const began = performance.now();
  try {
    const source = readFileSync(join(copy, bug.file), 'utf8');
    if (source.split(bug.find).length !== 2) throw new Error(`not once in ${bug.file}: ${bug.find}`);
    writeFileSync(
      join(copy, bug.file),
      source.replace(bug.find, () => bug.put),
    );
    const seed = bug.test ? undefined : await firstSeed(copy, bug.lie ?? 'faults');
    const tests = bug.test ? redTests(copy, bug.test) : [];
    const isCaught = seed !== undefined || tests.length > 0;
    if (!isCaught) green += 1;
    const by = bug.test ? { redTests: tests.length, first: tests[0] } : { ...seed };
    const seconds = Math.round((performance.now() - began) / 1_000);
    process.stdout.write(`${JSON.stringify({ bug: bug.name, caught: isCaught, ...by, seconds })}\n`);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
process.stdout.write(`${JSON.stringify({ proof: 'planted', ok: green === 0, bugs: plantedBugs.length, green })}\n`);
process.exit(green === 0 ? 0 : 1);
