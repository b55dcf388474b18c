import { constants } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import type { DataFacts } from './facts.ts';
import type { Surroundings } from './surroundings.ts';

/** Looks at a server's folder from outside: a server may be running on it. */
export async function lookAtData(directory: string, machine: Surroundings): Promise<DataFacts> {
  const folder = resolve(directory);
  const isTemporary = machine.temporaryFolders.some((other) => `${folder}${sep}`.startsWith(`${resolve(other)}${sep}`));
  const found = await stat(folder).catch(() => undefined);
  if (!found) return { folder, state: 'missing', open: [], isTemporary };
  if (!found.isDirectory()) return { folder, state: 'no_folder', open: [], isTemporary };
  const isUsable = await access(folder, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  const freeBytes = await machine.freeBytes(folder);
  const files = isUsable ? (await readdir(folder)).filter((name) => name.includes('.db')) : [];
  const open = await openToOthers([folder, ...files.map((name) => join(folder, name))]);
  return {
    folder,
    state: isUsable ? 'there' : 'closed',
    open,
    isTemporary,
    ...(freeBytes !== undefined && { freeBytes }),
  };
}

/** Those of the paths that others than their owner may read, write or enter. */
export async function openToOthers(paths: readonly string[]): Promise<string[]> {
  const modes = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        ({ mode }) => mode,
        () => 0,
      ),
    ),
  );
  return paths.filter((_path, index) => ((modes[index] ?? 0) & 0o077) !== 0);
}
