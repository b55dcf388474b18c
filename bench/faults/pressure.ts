import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { RunningProcess } from '../../test/support/processes.ts';
import { strikes, type FaultReport, type Size, type Strike } from './report.ts';
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

/** The relay gets no more memory, and ends itself. Seen: it ended, not in order and not by our signal. */
const outOfMemory: Strike = async (world) => {
  const { process: server } = world.relay;
  execFileSync('prlimit', ['--pid', String(server.pid), '--data=4096:unlimited']);
  const ended = server.exit(30_000).then(
    () => true,
    () => false,
  );
  for (let each = 0; each < 20 && server.ended === undefined; each++) {
    world.talk();
    await pause(300);
  }
  if (server.ended === undefined) {
    execFileSync('prlimit', ['--pid', String(server.pid), '--data=unlimited:unlimited']);
    server.kill('SIGKILL');
  }
  await ended;
  const { code, signal } = server.ended ?? { code: 0, signal: null };
  await world.relay.start('shipped');
  return code !== 0 && signal !== 'SIGKILL';
};

/** The relay has a tenth of a processor for up to three seconds. Seen: the group was held back. */
const cpu: Strike = async (world) =>
  inGroup(CPU, async (group) => {
    writeFileSync(`${group}/cpu.cfs_period_us`, '100000');
    writeFileSync(`${group}/cpu.cfs_quota_us`, '10000');
    writeFileSync(`${group}/cgroup.procs`, String(world.relay.process.pid));
    world.talk();
    await pause(1_000 + world.below(2_000));
    return Number(/^nr_throttled (\d+)/m.exec(readFileSync(`${group}/cpu.stat`, 'utf8'))?.[1]) > 0;
  });

/** F12. Without control groups only the address space of the relay is limited, and `how` says so. */
export function pressure(size: Size): Promise<FaultReport> {
  const grouped = hasGroups();
  return strikes({
    ...size,
    fault: 'F12',
    how: grouped
      ? 'RLIMIT_DATA; memory group with a process that takes all of it; 10% of a processor by cpu group'
      : 'RLIMIT_DATA only: no control groups here that this user may make',
    kinds: { outOfMemory, ...(grouped && { oomKill, cpu }) },
  });
}
