import type { SendHttp } from '@waxwing/client-core';
import { buildKeyserver } from '@waxwing/keyserver';
import type { Runtime } from '@waxwing/protocol';
import { createGateway, createLogger, createMetrics, type Gateway } from '@waxwing/relay';
import type { DeviceKey, Storage } from '@waxwing/storage';
import { Registry } from 'prom-client';

/** Over what time an orderly stop of a gateway spreads the return of its devices. */
const DRAIN_SPREAD_MS = 1_000;
/** Rates per address say nothing where everybody has one address. */
const plenty = { burst: 1_000_000, refillMs: 1 };
const rates = { perAddress: plenty, inAll: plenty, registrationsPerAddress: plenty };

function silentLog(): ReturnType<typeof createLogger> {
  return createLogger({ level: 'silent', destination: { write: () => undefined } });
}

/** The relay without sockets. `origin` is what clients dial. */
export function inProcessGateway(o: { storage: Storage; runtime: Runtime; origin: string }): Gateway {
  return createGateway({
    storage: o.storage,
    runtime: o.runtime,
    log: silentLog(),
    metrics: createMetrics(new Registry()),
    origins: [o.origin],
    drainSpreadMs: DRAIN_SPREAD_MS,
    endOfTurn: setImmediate,
  });
}

/** The keyserver without a port. */
export type InProcessKeyserver = {
  /** One exchange. Needs no virtual time. */
  readonly http: SendHttp;
  close(): Promise<void>;
};

/** `gateway` is asked at each change of a device list: it may be another one later. */
export async function inProcessKeyserver(o: {
  storage: Storage;
  runtime: Runtime;
  origin: string;
  gateway: () => Gateway | undefined;
}): Promise<InProcessKeyserver> {
  const { storage, runtime, origin } = o;
  const app = await buildKeyserver({
    storage,
    runtime,
    log: silentLog(),
    config: { origins: [origin], rates },
    onDevicesRemoved(removed: readonly DeviceKey[]) {
      for (const device of removed) o.gateway()?.disconnect(device, 'device_removed');
    },
  });
  return {
    async http({ method, url, headers, body }) {
      const answer = await app.inject({
        method,
        url: url.slice(origin.length),
        headers: { ...headers, host: new URL(origin).host },
        ...(body && { payload: Buffer.from(body) }),
      });
      const named = Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), String(value)] as const);
      return { status: answer.statusCode, headers: Object.fromEntries(named), body: new Uint8Array(answer.rawPayload) };
    },
    close: () => app.close(),
  };
}
