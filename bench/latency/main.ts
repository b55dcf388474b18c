/**
 * `npm run proof:latency [-- RATE SECONDS]`: two devices online and a relay, each a process; so many messages a second (20)
 * for so long (60), sent when they are due and not when the one before has arrived. Prints one JSON line with the time
 * from `send()` to the inbox of the other device, by the clock of this machine; exit code 0 if all came.
 */
import { join } from 'node:path';
import { parsed, registerProfile, startServe, temporaryFolder } from '../../test/support/cli.ts';
import { endProcesses, RunningProcess } from '../../test/support/processes.ts';

const [rate = 20, seconds = 60] = process.argv.slice(2).map(Number);
const messages = rate * seconds;
const GRACE_MS = 60_000;

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
    sender.write('go');
    await sender.exit(seconds * 1_000 + GRACE_MS);
    await receiver.exit(GRACE_MS).catch(() => undefined);
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
      p50Ms: quantile(took, 0.5),
      p90Ms: quantile(took, 0.9),
      p99Ms: quantile(took, 0.99),
      maxMs: quantile(took, 1),
    };
  } finally {
    await endProcesses();
    remove();
  }
}

const report = await measure();
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit(report.ok ? 0 : 1);
