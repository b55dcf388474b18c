import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Memory where there is some: a commit costs no disk. */
const root = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A new folder for the files of a world, which lives no longer than its process. Whoever made it removes it. */
export function makeFolder(prefix: string): string {
  return mkdtempSync(join(root, prefix));
}
