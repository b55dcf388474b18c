import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../test/support/cli.ts';

const SMALLEST_BYTES = 64 * 1024 * 1024;

/**
 * A disk that can lose power: a file system in a file. What a program wrote and did not sync is in the cache of the mounted
 * file system and not in the file; a copy of the file is what the disk holds if the power goes now. Needs root.
 */
export class PowerDisk {
  readonly #image: string;
  readonly folder: string;

  /** `folder` holds the file, so big as this once it is full. */
  constructor(folder: string, bytes: number) {
    this.#image = join(folder, 'disk');
    this.folder = join(folder, 'mounted');
    mkdirSync(this.folder);
    writeFileSync(this.#image, '');
    truncateSync(this.#image, bytes);
    execFileSync('mkfs.ext4', ['-q', '-F', this.#image]);
    this.#mount();
  }

  /** The power goes and comes back. Nobody may have a file open. */
  cut(): void {
    const rest = `${this.#image}.rest`;
    execFileSync('cp', ['--sparse=always', this.#image, rest]);
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
    new PowerDisk(path, SMALLEST_BYTES).unmount();
    return true;
  } catch {
    return false;
  } finally {
    remove();
  }
}
