import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { RunningProcess } from '../../test/support/processes.ts';
import { reported, strikes, type FaultReport, type Size, type Strike } from './report.ts';
import { pause } from './world.ts';

const MEMORY = '/sys/fs/cgroup/memory';
const CPU = '/sys/fs/cgroup/cpu';
const GROUP_BYTES = 128 * 1024 * 1024;

/** Whether this machine has groups (version 1) that this process may make. */
function hasGroups(): boolean {
  return process.getuid?.() === 0 && existsSync(`${MEMORY}/cgroup.procs`) && existsSync(`${CPU}/cgroup.procs`);
}

/** A group of processes of this run, which is removed when everybody in it has ended or left. */
async function inGroup<T>(root: string, work: (group: string) => Promise<T>): Promise<T> {
  const group = `${root}/waxwing-${process.pid}`;
  mkdirSync(group);
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
    const exit = await server.exit(60_000);
    hog.kill('SIGKILL');
    await hog.exit();
    const kills = /^oom_kill (\d+)/m.exec(readFileSync(`${group}/memory.oom_control`, 'utf8'))?.[1];
    await relay.start('shipped');
    return exit.signal === 'SIGKILL' && Number(kills) > 0;
  });

/** The relay has a fiftieth of a processor for up to three seconds. Seen: the group was held back. */
const cpu: Strike = async (world) =>
  inGroup(CPU, async (group) => {
    writeFileSync(`${group}/cpu.cfs_period_us`, '100000');
    writeFileSync(`${group}/cpu.cfs_quota_us`, '2000');
    writeFileSync(`${group}/cgroup.procs`, String(world.relay.process.pid));
    world.talk();
    await pause(1_000 + world.below(2_000));
    return Number(/^nr_throttled (\d+)/m.exec(readFileSync(`${group}/cpu.stat`, 'utf8'))?.[1]) > 0;
  });

/** F12. Needs control groups: without them it is a problem, not a pass. */
export function pressure(size: Size): Promise<FaultReport> {
  const how = 'memory group with a process that takes all of it; 2% of a processor by cpu group';
  const kinds = { oomKill, cpu };
  if (hasGroups()) return strikes({ ...size, fault: 'F12', how, kinds });
  const head = { fault: 'F12', how, seed: size.seed, runs: size.runs, due: {}, shown: {} };
  return reported(head, () => Promise.resolve({ problem: 'no control groups here that this user may make' }));
}
