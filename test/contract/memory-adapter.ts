import { createMemoryStorage, type MemoryState, type MemoryStorage, type StoreLimits } from '@waxwing/storage';
import { createManualRuntime } from '../kit/src/manual-runtime.ts';
import type { Adapter, Backup, Reopen } from './contract.ts';

export const memoryAdapter: Adapter = {
  name: 'memory storage',
  async open(limits?: Partial<StoreLimits>) {
    const runtime = createManualRuntime();
    const options = { runtime, ...(limits && { limits }) };
    let kept: Partial<MemoryState> = {};
    let storage: MemoryStorage = createMemoryStorage(options);
    return {
      runtime,
      get storage() {
        return storage;
      },
      async backup(): Promise<Backup> {
        const copy = storage.snapshot();
        return {
          async restore() {
            kept = copy;
          },
        };
      },
      async reopen({ restored = false, backup, loseRelay = false }: Reopen = {}) {
        kept = storage.snapshot();
        await storage.close();
        await backup?.restore();
        if (loseRelay && kept.directory) kept = { directory: kept.directory };
        storage = createMemoryStorage({ ...options, from: kept, restored });
      },
      end: () => storage.close(),
    };
  },
};
