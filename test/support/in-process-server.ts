import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer, type RunningServer } from '@waxwing/cli';
import { createClient, generateStoreKey, type Client, type Runtime } from '@waxwing/client-core';
import { systemRuntime } from '@waxwing/protocol';
import { createLogger } from '@waxwing/relay';
import { createMemoryStorage, type Storage } from '@waxwing/storage';

const plenty = { burst: 1_000_000, refillMs: 1 };

/** A server in this process on a free loopback port, or the given one; quiet, and without the rates that a test would meet. */
export function startTestServer(storage: Storage, port = 0): Promise<RunningServer> {
  const settings = {
    host: '127.0.0.1',
    port,
    drainSpreadMs: 0,
    maxConnections: 1_000,
    rates: { perAddress: plenty, inAll: plenty, registrationsPerAddress: plenty },
  };
  return startServer({ settings, storage, runtime: systemRuntime, log: createLogger({ level: 'silent' }) });
}

/** A folder, a server on memory, and clients in it; `end` closes and removes everything. */
export async function startTestWorld() {
  const folder = mkdtempSync(join(tmpdir(), 'waxwing-test-'));
  const storage = createMemoryStorage({ runtime: systemRuntime });
  const server = await startTestServer(storage);
  const clients: Client[] = [];
  return {
    folder,
    storage,
    server,
    async client(
      name: string,
      options: { key?: Uint8Array; runtime?: Partial<Runtime>; username?: string } = {},
    ): Promise<Client> {
      const { key = generateStoreKey(), ...rest } = options;
      const client = await createClient({
        server: server.url,
        store: { path: join(folder, `${name}.db`), key },
        ...rest,
      });
      clients.push(client);
      return client;
    },
    async end(): Promise<void> {
      await Promise.all(clients.map((client) => client.close()));
      await server.close();
      await storage.close();
      rmSync(folder, { recursive: true });
    },
  };
}
