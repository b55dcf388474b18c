/**
 * `waxwing serve` with these arguments, in a process that tells of itself. Lines on its input:
 *
 *     vitals       prints its vitals since the last time, as a JSON line
 *     stall MS     holds its event loop up for so long
 *     keep MIB     takes so much memory and never gives it back
 *
 * The last two are what a siege must notice.
 */
import { createInterface } from 'node:readline';
import { runWaxwing } from '../../cli/src/run.ts';
import { watchVitals } from './vitals.ts';

const look = watchVitals();
const kept: Buffer[] = [];

createInterface({ input: process.stdin }).on('line', (line) => {
  const [word = '', amount = ''] = line.split(' ');
  if (word === 'vitals') process.stdout.write(`${JSON.stringify(look())}\n`);
  if (word === 'keep') kept.push(Buffer.alloc(Number(amount) * 1_024 * 1_024, 1));
  if (word === 'stall') for (const end = performance.now() + Number(amount); performance.now() < end;);
});

const { stdin, stdout, stderr, env } = process;
const interrupted = (): AbortSignal => new AbortController().signal;
process.exit(await runWaxwing(['serve', ...process.argv.slice(2)], { stdin, stdout, stderr, env, interrupted }));
