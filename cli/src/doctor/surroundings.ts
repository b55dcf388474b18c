import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';

/** What the machine says of itself. */
export type Surroundings = {
  /** As `process.version` has it. */
  readonly node: string;
  readonly openFiles: number | undefined;
  /** Folders that are emptied when the machine starts, or by itself. */
  readonly temporaryFolders: readonly string[];
  /** Bytes that a process may still write there; undefined where that cannot be told. */
  freeBytes(folder: string): Promise<number | undefined>;
};

export function thisMachine(): Surroundings {
  return {
    node: process.version,
    openFiles: openFiles(),
    temporaryFolders: [tmpdir(), '/dev/shm', '/run'],
    freeBytes: (folder) =>
      statfs(folder).then(
        ({ bavail, bsize }) => bavail * bsize,
        () => undefined,
      ),
  };
}

/** Linux tells; Node has raised the soft limit as far as it may by then. */
function openFiles(): number | undefined {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}
