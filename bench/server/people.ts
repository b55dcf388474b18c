import { join } from 'node:path';
import { parseHandle, sha256, systemRuntime, type Handle } from '@waxwing/protocol';
import { openSqliteStorage, type Storage } from '@waxwing/storage';
import { temporaryFolder } from '../../test/support/cli.ts';
import { registerAccount, type TestDevice } from '../../test/support/relay-account.ts';

/** A relay's folder with so many devices in its directory, each of an account of its own. */
export type People = { readonly folder: string; readonly devices: readonly TestDevice[]; remove(): void };

/** `fill`: what is put into the store beside, before it is closed. */
export async function createPeople(
  count: number,
  fill: (storage: Storage, devices: readonly TestDevice[]) => Promise<void> = () => Promise.resolve(),
): Promise<People> {
  const { path, remove } = temporaryFolder('bench');
  const folder = join(path, 'relay');
  const runtime = systemRuntime;
  const storage = await openSqliteStorage({ directory: folder, runtime });
  const accounts = Array.from({ length: count }, () => registerAccount({ storage, runtime }));
  const devices = (await Promise.all(accounts)).map(({ devices: [device] }) => device);
  await fill(storage, devices);
  await storage.close();
  return { folder, devices, remove };
}

/** The devices in twos: who writes, and to whom. */
export function inPairs(devices: readonly TestDevice[]): (readonly [TestDevice, TestDevice])[] {
  const half = Math.floor(devices.length / 2);
  return devices.slice(0, half).flatMap((from, index) => {
    const to = devices[half + index];
    return to ? [[from, to] as const] : [];
  });
}

export function handleOf(name: string): Handle {
  return parseHandle(Buffer.from(sha256(name)).toString('base64url'));
}
