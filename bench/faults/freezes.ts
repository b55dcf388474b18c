import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { endOf, Person } from './person.ts';
import { reported, strikes, type FaultReport, type Size, type Strike } from './report.ts';
import { seededRandom } from '../../test/support/seeded.ts';
import { pause, World } from './world.ts';

/** The longest stop is so many times the shortest, of a second. */
const LONGEST = 120;
/** Steps of this fraction of a whole fall everywhere, and never close together. */
const GOLDEN = 0.618034;
/** Longer than either end waits for a sign of life. */
const LONG_MS = 100_000;

/** Whether the process is stopped, by what the system says of it. */
function isStopped(pid: number): boolean {
  if (process.platform !== 'linux') return true;
  return /^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

/** Stops one process for a while. Seen: the system says that it was stopped, and it goes on. */
function freeze(whom: 'relay' | 'client', ms: (world: World, run: number) => number): Strike {
  return async (world, run) => {
    const one = whom === 'relay' ? world.relay.process : world.people[world.below(2)]?.process;
    if (!one) return false;
    one.kill('SIGSTOP');
    world.talk();
    await pause(ms(world, run));
    const wasStopped = isStopped(one.pid);
    one.kill('SIGCONT');
    return wasStopped;
  };
}

/**
 * How long to stop, 1 s to two minutes: half of the runs less than 2 s, one in ten more than half a minute. The runs go over
 * the range evenly, from the shortest, so that even a few have a long one and the time for all is known.
 */
function stopMs(world: World, run: number): number {
  const place = (Math.floor(run / 2) * GOLDEN) % 1;
  return 1_000 * LONGEST ** (Math.min(1, place + world.random() / 25) ** 3);
}

/** F11: relay or client stand still, mostly for seconds. */
export function freezes(size: Size): Promise<FaultReport> {
  return strikes({
    ...size,
    fault: 'F11',
    how: 'SIGSTOP for 1-120 s, most of them short, then SIGCONT',
    kinds: { relay: freeze('relay', stopMs), client: freeze('client', stopMs) },
  });
}

/** F11, for 100 s: beyond what either end waits for a heartbeat. */
export function longFreezes(size: Size): Promise<FaultReport> {
  const long = (): number => LONG_MS;
  return strikes({
    ...size,
    fault: 'F11-real',
    how: 'SIGSTOP for 100 s, then SIGCONT; takes so long by the clock that it runs a twenty-fifth of the others',
    kinds: { relay: freeze('relay', long), client: freeze('client', long) },
  });
}

/**
 * F11: a device is stopped, and a copy of its file connects in its place. When the stopped one goes on, it is told that it
 * was displaced, takes nothing that came since, and cannot come back: `lost` is what the copy did not get, `duplicated`
 * what both got.
 */
export function displaced({ runs, seed }: Size): Promise<FaultReport> {
  const shown = { displaced: 0, refused: 0 };
  const how = 'SIGSTOP, a copy of the file connects, SIGCONT';
  const due = { displaced: runs, refused: runs };
  return reported({ fault: 'F11-displaced', how, seed, runs, due, shown }, () =>
    World.within({ random: seededRandom(seed), kind: 'shipped' }, async (world) => {
      const counts = { lost: 0, duplicated: 0, messages: 0 };
      const [, bob] = world.people;
      for (let run = 0; run < runs; run++) {
        const name = `device${run}`;
        const { folder } = world;
        const behind = { folder, proxy: bob.proxy, pace: 1 };
        const original = await Person.start({ ...behind, name });
        await original.until(() => original.state === 'online', 30_000);
        original.process.kill('SIGSTOP');
        const twin = `${name}-copy`;
        for (const end of ['.db', '.db-wal', '.key']) {
          if (existsSync(join(folder, `${name}${end}`)))
            cpSync(join(folder, `${name}${end}`), join(folder, `${twin}${end}`));
        }
        const copy = await Person.start({ ...behind, name: twin });
        await copy.until(() => copy.state === 'online', 30_000);
        const talker = await Person.start({ ...behind, name: `talker${run}` });
        talker.say(copy, 8, 10);
        await copy.until(() => talker.said.every((text) => copy.received.has(text)), 60_000);
        original.process.kill('SIGCONT');
        if (await original.until(() => original.state === 'displaced', 60_000)) shown.displaced += 1;
        original.order({ do: 'connect' });
        if (await original.until(() => original.state === 'cloned', 60_000)) shown.refused += 1;
        counts.messages += talker.said.length;
        counts.lost += talker.said.filter((text) => !copy.received.has(text)).length;
        counts.duplicated += talker.said.filter((text) => original.received.has(text)).length;
        await Promise.all([original, copy, talker].map(endOf));
      }
      return counts;
    }),
  );
}
