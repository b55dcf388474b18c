import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { testOrigin } from '../../test/support/relay-device.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Where the server runs; the generator has the other core. */
export const SERVER_CORE = '0';
export const GENERATOR_CORE = '1';

/** Of /proc/PID/stat: 100 ticks are a second on every Linux that Node runs on. */
const US_PER_TICK = 10_000;

export type Kind = 'bare' | 'waxwing';

/** A server under measurement: a process of its own, pinned to one core. */
export type Server = {
  readonly kind: Kind;
  /** `ws://host:port`. */
  readonly url: string;
  /** Processor time of all its threads so far, in microseconds. */
  cpuUs(): number;
  /** Its memory that it shares with nobody, and its part of the rest, in KiB. */
  pssKib(): number;
  /** The value of a metric as it is printed, with its labels; undefined where it is not. */
  metric(name: string): Promise<number | undefined>;
  /** Ends it: in order, or as a power cut would. */
  end(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
};

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** The baseline. */
export function startBare(): Promise<Server> {
  return start('bare', ['--conditions=waxwing-source', '--import', 'tsx', 'bench/bare.ts'], {});
}

/** `waxwing serve` as it is built, on this folder. `profiles`: where each thread leaves its profile when it ends. */
export function startWaxwing(
  folder: string,
  o: { readonly profiles?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Server> {
  const profile = o.profiles === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', o.profiles];
  const where = ['--data', folder, '--port', '0', '--admin-port', '0', '--origin', testOrigin];
  const how = ['--log-level', 'error', '--drain-seconds', '0', '--max-connections', '20000'];
  return start('waxwing', [...profile, 'cli/dist/main.js', 'serve', ...where, ...how], o.env ?? {});
}

async function start(kind: Kind, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Server> {
  const child = spawn('taskset', ['-c', SERVER_CORE, process.execPath, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      running.delete(child);
      resolve();
    });
  });
  let [http, admin] = ['', ''];
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.includes('listens on ')) http = line.replace(/^.* on /, '');
    if (line.startsWith('for the operator: ')) admin = line.replace(/^.*: (.*)\/readyz.*$/, '$1');
    if (http !== '' && (kind === 'bare' || admin !== '')) break;
  }
  const { pid } = child;
  if (http === '' || pid === undefined) throw new Error(`${kind} did not start`);
  return {
    kind,
    url: http.replace('http', 'ws'),
    cpuUs() {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      return (Number(fields[11]) + Number(fields[12])) * US_PER_TICK;
    },
    pssKib: () => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]),
    async metric(name) {
      const text = await (await fetch(`${admin}/metrics`)).text();
      const line = text.split('\n').find((one) => one.startsWith(`${name} `));
      return line === undefined ? undefined : Number(line.slice(name.length + 1));
    },
    async end(signal = 'SIGTERM') {
      child.kill(signal);
      await ended;
    },
  };
}
