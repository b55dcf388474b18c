import type { Server } from 'node:http';
import type { Runtime } from '@waxwing/protocol';
import { buildKeyserver, keySetFile, keySetUrl, type KeyserverConfig } from '@waxwing/keyserver';
import { createAdminServer, createRelay, type createLogger, type Relay } from '@waxwing/relay';
import type { Storage } from '@waxwing/storage';
import { Registry } from 'prom-client';
import type { TicketSettings } from './settings/ticket-settings.ts';

export type ServerSettings = {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** Absent: no admin port. */
  readonly admin?: { readonly host: string; readonly port: number };
  /** What clients dial; absent: the loopback names of the port, which is for development. */
  readonly origins?: readonly string[];
  readonly drainSpreadMs: number;
  readonly maxConnections: number;
  readonly trustProxy?: readonly string[];
  readonly rates?: KeyserverConfig['rates'];
  /** Absent: registration is open. */
  readonly tickets?: TicketSettings;
};

/** Keyserver and relay on one port, over one storage. */
export type RunningServer = {
  /** What a client on this machine dials. */
  readonly url: string;
  readonly adminUrl?: string;
  /** Sends every device away, spread, and finishes what is under way. Idempotent. */
  drain(): Promise<void>;
  /** Ends at once; the storage stays its owner's. Idempotent. */
  close(): Promise<void>;
};

export async function startServer(o: {
  readonly settings: ServerSettings;
  readonly storage: Storage;
  readonly runtime: Runtime;
  readonly log: ReturnType<typeof createLogger>;
}): Promise<RunningServer> {
  const { settings, storage, runtime, log } = o;
  const origins: string[] = [...(settings.origins ?? [])];
  const metrics = new Registry();
  const { drainSpreadMs, maxConnections, trustProxy, rates, tickets } = settings;
  const behind = trustProxy && { trustProxy };
  const live: { relay?: Relay } = {};
  const keyserver = await buildKeyserver({
    storage,
    runtime,
    log,
    config: {
      origins,
      ...behind,
      ...(rates && { rates }),
      ...(tickets && { tickets: { issuer: tickets.issuer, loadKeys: keySetAt(tickets, runtime) } }),
    },
    onDevicesRemoved(removed) {
      for (const device of removed) live.relay?.disconnect(device, 'device_removed');
    },
  });
  await keyserver.listen({ host: settings.host, port: settings.port });
  const port = portOf(keyserver.server);
  if (settings.origins === undefined) {
    for (const name of ['127.0.0.1', 'localhost', '[::1]']) origins.push(`http://${name}:${port}`);
  }
  const gateway = createRelay({
    storage,
    runtime,
    log,
    metrics,
    config: { origins, path: '/v1/relay', drainSpreadMs, maxConnections, ...behind },
  });
  live.relay = gateway;
  keyserver.server.on('upgrade', (request, socket, head) => gateway.upgrade(request, socket, head));
  const admin = settings.admin && createAdminServer({ ready: () => gateway.ready(), metrics });
  if (admin) {
    await listen(admin, settings.admin.port, settings.admin.host).catch(async (error: unknown) => {
      await gateway.close();
      await keyserver.close();
      throw error;
    });
  }
  let closed: Promise<void> | undefined;
  return {
    url: `http://${settings.host}:${port}`,
    ...(admin && { adminUrl: `http://${settings.admin.host}:${portOf(admin)}` }),
    drain: () => gateway.drain(),
    close() {
      closed ??= (async () => {
        await gateway.close();
        await keyserver.close();
        await new Promise((resolve) => (admin ? admin.close(resolve) : resolve(undefined)));
      })();
      return closed;
    },
  };
}

function keySetAt({ jwks }: TicketSettings, { timers }: Runtime) {
  return jwks.type === 'file' ? keySetFile(jwks.path) : keySetUrl(jwks.url, timers);
}

function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new TypeError('the server does not listen');
  return address.port;
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
