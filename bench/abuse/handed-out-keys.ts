import { join } from 'node:path';
import { systemRuntime } from '@waxwing/protocol';
import { createMemoryStorage, openSqliteStorage, type PrekeyUpload, type Storage } from '@waxwing/storage';
import { temporaryFolder } from '../../test/support/cli.ts';
import { endProcesses, RunningProcess } from '../../test/support/processes.ts';
import { registerAccount, type TestDevice } from '../../test/support/relay-account.ts';
import { createFindings, type RowReport } from './report.ts';

const PER_UPLOAD = 1_000;

/**
 * Concurrent takes of one device's keys from every store: none is handed out twice and, but for crashes, none is wasted;
 * the embedded store is also killed with -9 while it hands them out, and opened again.
 */
export async function handedOutKeys(o: {
  readonly takes: number;
  readonly keys: number;
  readonly kills: number;
}): Promise<RowReport> {
  const findings = createFindings();
  const { path, remove } = temporaryFolder('keys');
  const runtime = systemRuntime;
  const limits = { oneTimeKeysPerDevice: 100_000, oneTimeKeysRemembered: 200_000 };
  const folder = join(path, 'killed');
  const open = (name: string) => openSqliteStorage({ directory: join(path, name), runtime, limits });
  try {
    const stores = { memory: createMemoryStorage({ runtime, limits }), sqlite: await open('sqlite') };
    for (const [name, storage] of Object.entries(stores)) {
      const device = await withKeys(storage, o.keys);
      const ids = await takeAll(storage, device, o.takes);
      findings.insist(new Set(ids).size === ids.length, `${name}: a key was handed out twice`);
      findings.insist(ids.length === Math.min(o.keys, o.takes), `${name}: ${ids.length} of ${o.keys} keys`);
      await storage.close();
    }

    const first = await open('killed');
    const device = await withKeys(first, o.keys);
    await first.close();
    const said: string[] = [];
    for (let run = 0; run <= o.kills; run += 1) {
      const child = new RunningProcess('bench/abuse/key-child.ts', [folder, JSON.stringify(device.key)]);
      if (run < o.kills) {
        await child.count(1 + Math.floor((o.keys * 0.5) / o.kills));
        child.kill('SIGKILL');
      }
      await child.exit();
      said.push(...child.lines.filter((line) => /^\d+$/.test(line)));
    }
    findings.insist(new Set(said).size === said.length, 'a key was handed out twice across a kill');
    const { broken, over } = findings;
    const wasted = o.keys - said.length;
    return { row: 'handed-out-keys', broken, over, figures: { ...o, acrossKills: said.length, wastedByKills: wasted } };
  } finally {
    await endProcesses();
    remove();
  }
}

async function withKeys(storage: Storage, count: number): Promise<TestDevice> {
  const account = await registerAccount({ storage, runtime: systemRuntime }, { oneTimeKeys: 0 });
  const [device] = account.devices;
  for (let at = 0; at < count; at += PER_UPLOAD) {
    const ids = Array.from({ length: Math.min(PER_UPLOAD, count - at) }, (_, index) => at + index + 1);
    const upload: PrekeyUpload = { oneTimeKeys: ids.map((id) => ({ id, publicKey: publicKey(id) })) };
    const answer = await storage.prekeys.publish(device.key, upload);
    if (answer !== 'stored') throw new Error(answer);
  }
  return device;
}

function publicKey(id: number): Uint8Array {
  const bytes = Buffer.alloc(33, 5);
  bytes.writeUInt32BE(id, 1);
  return bytes;
}

/** The ids of all one-time keys that so many takes at the same time gave; each must have come with the repeated keys. */
async function takeAll(storage: Storage, device: TestDevice, takes: number): Promise<number[]> {
  const taken = await Promise.all(
    Array.from({ length: takes }, () => storage.prekeys.take(device.key, { oneTime: true })),
  );
  return taken.flatMap((keys) => {
    if (!keys) throw new Error('no bundle');
    return keys.oneTimeKey ? [keys.oneTimeKey.id] : [];
  });
}
