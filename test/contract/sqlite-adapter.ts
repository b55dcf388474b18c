import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStorage, type StoreLimits } from '@waxwing/storage';
import { createManualRuntime } from '../kit/src/manual-runtime.ts';
import type { Adapter, Backup, Reopen, World } from './contract.ts';

const relayFiles = ['relay.db', 'relay.db-wal', 'relay.db-shm'];

/** `thread`: whether the files are served by a thread of their own, which takes long to start from source. */
export function sqliteAdapter(thread: 'own' | 'calling'): Adapter {
  return { name: `embedded storage, ${thread} thread`, open: (limits) => openWorld(thread, limits) };
}

async function openWorld(thread: 'own' | 'calling', limits?: Partial<StoreLimits>): Promise<World> {
  const runtime = createManualRuntime();
  const root = mkdtempSync(join(tmpdir(), 'waxwing-contract-'));
  const folder = join(root, 'store');
  const options = { directory: folder, runtime, thread, ...(limits && { limits }) };
  let storage = await openSqliteStorage(options);
  let backups = 0;
  return {
    runtime,
    get storage() {
      return storage;
    },
    async backup(): Promise<Backup> {
      const copy = join(root, `backup-${backups++}`);
      await storage.close();
      cpSync(folder, copy, { recursive: true });
      storage = await openSqliteStorage(options);
      return {
        async restore() {
          rmSync(folder, { recursive: true });
          cpSync(copy, folder, { recursive: true });
        },
      };
    },
    async reopen({ restored = false, backup, loseRelay = false }: Reopen = {}) {
      await storage.close();
      await backup?.restore();
      if (loseRelay) for (const file of relayFiles) rmSync(join(folder, file), { force: true });
      storage = await openSqliteStorage({ ...options, restored });
    },
    async end() {
      await storage.close();
      rmSync(root, { recursive: true });
    },
  };
}
