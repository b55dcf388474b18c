import { execFileSync } from 'node:child_process';
import { cpSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { strikes, type FaultReport, type Size, type Strike } from './report.ts';
import { pause, type World } from './world.ts';

const FILES = ['relay.db', 'directory.db'] as const;

/** Everything so far has been sent, or nothing more was for so long as the fault lasts. */
function sentSoFar({ people: [alice, bob] }: World): number {
  return alice.sent.size + bob.sent.size;
}

/** Another process holds the writing lock of relay.db. Seen: nothing was accepted while it did, and something after. */
const locked: Strike = async (world) => {
  const db = new Database(join(world.relay.folder, 'relay.db'));
  db.exec('BEGIN IMMEDIATE');
  world.talk();
  await pause(200);
  const before = sentSoFar(world);
  await pause(500 + world.below(3_500));
  const during = sentSoFar(world);
  db.exec('ROLLBACK');
  db.close();
  await world.settle();
  return during === before && sentSoFar(world) > during;
};

/** Files may grow no further: the kernel refuses every write beyond. Seen: the relay refused a submit as `store_full`. */
const full: Strike = async (world) => {
  const { relay } = world;
  await relay.kill();
  await relay.start({ pace: 1 });
  const { process } = relay;
  const largest = Math.max(...FILES.map((name) => statSync(join(relay.folder, name)).size));
  const limit = (bytes: number | 'unlimited') =>
    execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:unlimited`]);
  const wasFull = process.line((line) => line.includes('store_full'), 30_000);
  limit(Math.min(largest, 4_096));
  world.talk();
  await wasFull;
  limit('unlimited');
  await world.settle();
  await relay.kill();
  await relay.start('shipped');
  return true;
};

/** Killed again and again while it starts and works. Seen: it ended by that signal each time. */
const killLoop: Strike = async (world) => {
  const { relay } = world;
  let kills = 0;
  for (let each = 0; each < 3; each++) {
    const { process } = relay;
    await relay.kill();
    kills += process.ended?.signal === 'SIGKILL' ? 1 : 0;
    await relay.start('shipped');
    await world.moment(400);
  }
  return kills === 3;
};

/** F6: the files of the relay's store. Afterwards both are whole by their own check. */
export function storeFaults(size: Size): Promise<FaultReport> {
  return strikes({
    ...size,
    fault: 'F6',
    how: 'write lock held by another process; RLIMIT_FSIZE by prlimit; kill -9 three times in a row',
    kinds: { locked, full, killLoop },
    check: async (world) => {
      await world.relay.kill();
      checkFiles(world.relay.folder, join(world.folder, 'copy'));
    },
  });
}

/** The files as they lie there, copied: looking at them changes nothing. */
export function checkFiles(folder: string, copy: string): void {
  cpSync(folder, copy, { recursive: true });
  for (const name of FILES) {
    const db = new Database(join(copy, name));
    const found = db.pragma('integrity_check', { simple: true });
    db.close();
    if (found !== 'ok') throw new Error(`${name} is damaged: ${String(found)}`);
  }
  rmSync(copy, { recursive: true });
}
