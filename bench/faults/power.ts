import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../../test/support/cli.ts';
import { checkFiles } from './disk.ts';
import { reported, strikes, WEAKENED_SETTLE_MS, type FaultReport, type Size } from './report.ts';

const DISK_BYTES = 64 * 1024 * 1024;

/**
 * A disk that can lose power: a file system in a file. What a program wrote and did not sync is in the cache of the mounted
 * file system and not in the file; a copy of the file is what the disk holds if the power goes now. Needs root.
 */
class Disk {
  readonly #image: string;
  readonly folder: string;

  constructor(folder: string) {
    this.#image = join(folder, 'disk');
    this.folder = join(folder, 'mounted');
    mkdirSync(this.folder);
    writeFileSync(this.#image, '');
    truncateSync(this.#image, DISK_BYTES);
    execFileSync('mkfs.ext4', ['-q', '-F', this.#image]);
    this.#mount();
  }

  /** The power goes and comes back. Nobody may have a file open. */
  cut(): void {
    const rest = `${this.#image}.rest`;
    cpSync(this.#image, rest);
    this.unmount();
    renameSync(rest, this.#image);
    this.#mount();
  }

  /** Everything written so far is on the disk, synced by its program or not. */
  sync(): void {
    execFileSync('sync', ['-f', this.folder]);
  }

  unmount(): void {
    execFileSync('umount', [this.folder]);
  }

  #mount(): void {
    execFileSync('mount', ['-o', 'loop', this.#image, this.folder]);
  }
}

/** Whether this machine lets a disk be made. */
export function hasDisks(): boolean {
  const { path, remove } = temporaryFolder('disk');
  try {
    new Disk(path).unmount();
    return true;
  } catch {
    return false;
  } finally {
    remove();
  }
}

/** F6: the power of the relay's disk goes. Without root or loop devices it is a problem, not a pass. With `unsynced`, a relay that does not wait for its disk: it must not pass. */
export async function powerCuts(size: Size, unsynced = false): Promise<FaultReport> {
  const { path, remove } = temporaryFolder('power');
  const fault = unsynced ? 'F6-power-unsynced' : 'F6-power';
  const how = 'ext4 in a file: what was not synced is lost';
  let disk: Disk;
  try {
    disk = new Disk(path);
  } catch (error) {
    remove();
    const problem = `no disk can be made here by this user: ${String(error)}`;
    return reported({ ...size, fault, how, due: { power: size.runs }, shown: {} }, () => Promise.resolve({ problem }));
  }
  const relay = unsynced ? ({ pace: 1, unsynced } as const) : 'shipped';
  const store = join(disk.folder, 'store');
  try {
    return await strikes({
      ...size,
      fault,
      how,
      relay,
      store,
      ...(unsynced && { settleMs: WEAKENED_SETTLE_MS }),
      kinds: {
        /** One says what the other cannot hear yet. Seen: what was reported sent before was not received yet. */
        async power(world) {
          const { speaker, listener } = world.parted();
          await world.settle();
          disk.sync();
          listener.proxy.refuse();
          listener.proxy.reset();
          world.talk();
          await speaker.until(() => speaker.sent.size === speaker.said.length, 30_000);
          const waiting = speaker.said.filter((text) => speaker.sent.has(text) && !listener.received.has(text));
          const { process } = world.relay;
          await world.relay.kill();
          disk.cut();
          checkFiles(store, join(world.folder, 'copy'));
          await world.relay.start(relay);
          listener.proxy.accept();
          return process.ended?.signal === 'SIGKILL' && waiting.length > 0;
        },
      },
    });
  } finally {
    disk.unmount();
    remove();
  }
}
