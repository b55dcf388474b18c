import { constants } from 'node:fs';
import { access, link, mkdir, open, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { generateStoreKey, type StoreOptions } from '@waxwing/client-core';
import type { RandomBytes } from '@waxwing/protocol';
import { Failure } from './failure.ts';

/**
 * A folder with a device: `device.db`, its encrypted file, and `device.key`, the key of that file as 64 hex digits. The
 * folder has mode 0700, the key 0600.
 */
export type Profile = { readonly folder: string; readonly store: StoreOptions };

const HEX_KEY = /^[0-9a-f]{64}$/;

/** The profile in a folder, made if it is not there yet. The key is on the disk before this resolves. Idempotent. */
export async function makeProfile(path: string, random: RandomBytes): Promise<Profile> {
  const folder = resolve(path);
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw cannot('make', folder, error);
  });
  if (!(await exists(keyPath(folder)))) {
    if (await exists(storePath(folder))) throw new Failure(`${folder} has a device.db but no device.key`);
    await writeKey(folder, random).catch((error: unknown) => {
      throw cannot('write to', folder, error);
    });
  }
  return readProfile(folder);
}

/** The profile in a folder that has one. */
export async function readProfile(path: string): Promise<Profile> {
  const folder = resolve(path);
  const text = await readFile(keyPath(folder), 'utf8').catch((error: unknown) => {
    if (isCode(error, 'ENOENT') || isCode(error, 'ENOTDIR')) throw noProfile(folder);
    throw cannot('read the key in', folder, error);
  });
  const hex = text.trim().toLowerCase();
  if (!HEX_KEY.test(hex)) throw new Failure(`${keyPath(folder)} is not a key: 64 hex digits`);
  return { folder, store: { path: storePath(folder), key: Uint8Array.from(Buffer.from(hex, 'hex')) } };
}

export function noProfile(folder: string): Failure {
  return new Failure(`${folder} has no device. Make one: waxwing register --server URL --profile ${folder}`);
}

/** Whether others than its owner may read the profile's key. */
export async function keyIsOpen({ folder }: Profile): Promise<boolean> {
  return ((await stat(keyPath(folder))).mode & 0o077) !== 0;
}

/** What the device is called here, as it was said when it was made. */
export async function deviceName({ folder }: Profile): Promise<string | undefined> {
  const text = await readFile(namePath(folder), 'utf8').catch(() => '');
  return text.trim() === '' ? undefined : text.trim();
}

export async function nameDevice({ folder }: Profile, name: string): Promise<void> {
  await writeFile(namePath(folder), `${name}\n`, { mode: 0o600 });
}

export function hasStore({ store }: Profile): Promise<boolean> {
  return exists(store.path);
}

function keyPath(folder: string): string {
  return join(folder, 'device.key');
}

function storePath(folder: string): string {
  return join(folder, 'device.db');
}

function namePath(folder: string): string {
  return join(folder, 'device.name');
}

/** Whole or not at all, and never over another: of two that do this at once, one key stays. */
async function writeKey(folder: string, random: RandomBytes): Promise<void> {
  const unfinished = join(folder, `device.key.${Buffer.from(random(6)).toString('hex')}`);
  const file = await open(unfinished, 'wx', 0o600);
  try {
    await file.writeFile(`${Buffer.from(generateStoreKey(random)).toString('hex')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(unfinished, keyPath(folder));
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error;
  } finally {
    await unlink(unfinished);
  }
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}

function cannot(what: string, folder: string, cause: unknown): Failure {
  return new Failure(`cannot ${what} ${folder}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
