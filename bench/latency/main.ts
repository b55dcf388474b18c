/**
 * `npm run proof:latency [-- RATE SECONDS]`: two devices online and a relay, each a process; so many messages a second (20)
 * for so long (60), sent when they are due and not when the one before has arrived. Prints one JSON line with the time
 * from `send()` to the inbox of the other device, by the clock of this machine; exit code 0 if all came.
 *
 * A message waits for four commits, one after the other, each with its own fsync. `disk` is what four appends with an
 * fsync each take on the same disk during the same run, at the same rate: no device can be quicker than its disk.
 */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { join } from 'node:path';
import { parsed, registerProfile, startServe, temporaryFolder } from '../../test/support/cli.ts';
import { endProcesses, RunningProcess } from '../../test/support/processes.ts';

const [rate = 20, seconds = 60] = process.argv.slice(2).map(Number);
const messages = rate * seconds;
const GRACE_MS = 60_000;
const COMMITS_PER_MESSAGE = 4;
const PAGE = new Uint8Array(4_096);

/** When each message left, or came, by its number. */
function times(lines: readonly string[]): ReadonlyMap<number, number> {
  const all = lines.filter((line) => line.startsWith('{')).map(parsed);
  return new Map(all.map(({ index, at }) => [Number(index), Number(at)]));
}

/** The smallest value that so large a part of them does not exceed. */
function quantile(sorted: readonly number[], part: number): number | null {
  const value = sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)];
  return value === undefined ? null : Math.round(value * 10) / 10;
}

function quantiles(sorted: readonly number[]) {
  const at = (part: number): number | null => quantile(sorted, part);
  return { p50Ms: at(0.5), p90Ms: at(0.9), p99Ms: at(0.99), maxMs: at(1) };
}

/** How long the disk alone takes for the commits of each message, sorted. */
async function watchDisk(path: string, signal: AbortSignal): Promise<number[]> {
  const file = openSync(path, 'w');
  const took: number[] = [];
  for (const began = performance.now(); !signal.aborted;) {
    const due = began + (took.length * 1_000) / rate;
    await setTimeout(Math.max(0, due - performance.now()));
    for (let commit = 0; commit < COMMITS_PER_MESSAGE; commit += 1) {
      writeSync(file, PAGE);
      fsyncSync(file);
    }
    took.push(performance.now() - due);
  }
  closeSync(file);
  return took.sort((a, b) => a - b);
}

async function measure() {
  const { path, remove } = temporaryFolder('latency');
  try {
    const { url } = await startServe(['--data', join(path, 'relay'), '--port', '0', '--admin-port', 'off']);
    const alice = await registerProfile(url, join(path, 'alice'));
    const bob = await registerProfile(url, join(path, 'bob'));
    const person = (...args: string[]) => new RunningProcess('bench/latency/person.ts', args);
    const receiver = person('receive', bob.profile, String(messages));
    const sender = person('send', alice.profile, bob.account, String(rate), String(messages));
    await Promise.all([receiver.line((line) => line === 'ready'), sender.line((line) => line === 'ready')]);
    const watching = new AbortController();
    const disk = watchDisk(join(path, 'disk'), watching.signal);
    sender.write('go');
    await sender.exit(seconds * 1_000 + GRACE_MS);
    await receiver.exit(GRACE_MS).catch(() => undefined);
    watching.abort();
    const [left, came] = [times(sender.lines), times(receiver.lines)];
    const took = [...left].flatMap(([index, at]) => {
      const arrived = came.get(index);
      return arrived === undefined ? [] : [arrived - at];
    });
    took.sort((a, b) => a - b);
    const lost = messages - took.length;
    return {
      proof: 'latency',
      ok: lost === 0,
      ratePerSecond: rate,
      seconds,
      messages,
      lost,
      ...quantiles(took),
      disk: quantiles(await disk),
    };
  } finally {
    await endProcesses();
    remove();
  }
}

const report = await measure();
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit(report.ok ? 0 : 1);
