import { existsSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { subprotocol } from '@waxwing/protocol';
import { RunningProcess } from '../../test/support/processes.ts';
import type { Person } from './person.ts';
import { reported, strikes, type FaultReport, type Size, type Strike } from './report.ts';
import { pause } from './world.ts';

const MEMORY = '/sys/fs/cgroup/memory';
const CPU = '/sys/fs/cgroup/cpu';
const GROUP_BYTES = 128 * 1024 * 1024;
const CROWD = 8;
/** The relay ends sockets that do not authenticate; by then a device has met the full house. */
const CROWD_MS = 8_000;
const UPGRADE = [
  'GET /v1/relay HTTP/1.1',
  ...['Host: 127.0.0.1', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
  ...['Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', `Sec-WebSocket-Protocol: ${subprotocol}`, '', ''],
].join('\r\n');

/** Whether this machine has groups (version 1) that this process may make. */
function hasGroups(): boolean {
  return process.getuid?.() === 0 && existsSync(`${MEMORY}/cgroup.procs`) && existsSync(`${CPU}/cgroup.procs`);
}

/** A new group of processes, which is removed when everybody in it has ended or left. */
async function inGroup<T>(root: string, work: (group: string) => Promise<T>): Promise<T> {
  const group = mkdtempSync(`${root}/waxwing-`);
  try {
    return await work(group);
  } finally {
    for (const pid of readFileSync(`${group}/cgroup.procs`, 'utf8').split('\n').filter(Boolean)) {
      writeFileSync(`${root}/cgroup.procs`, pid);
    }
    rmdirSync(group);
  }
}

/** No memory is left in the relay's group, and the kernel kills it. Seen: it ended by -9, and the group counted a kill. */
const oomKill: Strike = async ({ relay }) =>
  inGroup(MEMORY, async (group) => {
    writeFileSync(`${group}/memory.limit_in_bytes`, String(GROUP_BYTES));
    const hog = new RunningProcess('bench/faults/hog.ts', []);
    await hog.line((line) => line.includes('ready'));
    const { process: server } = relay;
    // The kernel takes the one with the higher score first, whichever asked for more.
    writeFileSync(`/proc/${server.pid}/oom_score_adj`, '1000');
    for (const { pid } of [hog, server]) writeFileSync(`${group}/cgroup.procs`, String(pid));
    hog.write('now');
    // The hog ends before it leaves the group: outside nothing holds it.
    const exit = await server.exit(60_000).finally(() => {
      hog.kill('SIGKILL');
      return hog.exit();
    });
    const kills = /^oom_kill (\d+)/m.exec(readFileSync(`${group}/memory.oom_control`, 'utf8'))?.[1];
    await relay.start('shipped');
    return exit.signal === 'SIGKILL' && Number(kills) > 0;
  });

/**
 * The relay has a fiftieth of a processor for up to three seconds. It refuses nobody for that: it is late, and nobody is told
 * anything but to connect again. Seen: the group was held back.
 */
const cpu: Strike = async (world) =>
  inGroup(CPU, async (group) => {
    writeFileSync(`${group}/cpu.cfs_period_us`, '100000');
    writeFileSync(`${group}/cpu.cfs_quota_us`, '2000');
    writeFileSync(`${group}/cgroup.procs`, String(world.relay.process.pid));
    const heard = world.people.map(({ states }) => states.length);
    world.talk();
    await pause(1_000 + world.below(2_000));
    const told = world.people.flatMap(({ states }, index) => states.slice(heard[index]));
    const isEnded = told.some((state) => state === 'needs-auth' || state === 'closed');
    if (isEnded) throw new Error(`a device was told to end: ${told.join(', ')}`);
    return Number(/^nr_throttled (\d+)/m.exec(readFileSync(`${group}/cpu.stat`, 'utf8'))?.[1]) > 0;
  });

/**
 * As many sockets are open as the relay takes. Seen: the next was answered 503, and a device that came then was told
 * `unavailable`; both come in when the others have gone.
 */
const crowd: Strike = async ({ relay, people }) => {
  await relay.kill();
  await relay.start({ pace: 1, maxConnections: CROWD });
  const open: Socket[] = [];
  let answer = '';
  try {
    for (let each = 0; each <= CROWD && !answer.includes('503'); each++) {
      // Each from an address of its own: one alone may open only a few.
      const socket = connect({ host: '127.0.0.1', port: relay.port, localAddress: `127.9.9.${each + 1}` });
      open.push(socket);
      socket.on('error', () => undefined).write(UPGRADE);
      const [bytes] = (await once(socket, 'data')) as [Buffer];
      answer = bytes.toString('latin1');
    }
    const isRefused = (person: Person, from: number): boolean =>
      person.process.lines.slice(from).some((line) => line.includes('"reason":"unavailable"'));
    const refused = people.map((person) => {
      const from = person.process.lines.length;
      person.proxy.reset();
      return person.until(() => isRefused(person, from), CROWD_MS);
    });
    return answer.startsWith('HTTP/1.1 503') && (await Promise.all(refused)).some(Boolean);
  } finally {
    for (const socket of open) socket.destroy();
    await relay.kill();
    await relay.start('shipped');
  }
};

/** F12. Needs control groups: without them it is a problem, not a pass. */
export function pressure(size: Size): Promise<FaultReport> {
  const how =
    'memory group with a process that takes all of it; 2% of a processor by cpu group, where nobody is refused and all comes; as many sockets as it takes, where the next is answered 503';
  const kinds = { oomKill, cpu, crowd };
  if (hasGroups()) return strikes({ ...size, fault: 'F12', how, kinds });
  const head = { fault: 'F12', how, seed: size.seed, runs: size.runs, due: {}, shown: {} };
  return reported(head, () => Promise.resolve({ problem: 'no control groups here that this user may make' }));
}
