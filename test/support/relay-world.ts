import { createGateway, createLogger, createMetrics, type Gateway } from '@waxwing/relay';
import { createMemoryStorage, type Storage } from '@waxwing/storage';
import { Registry } from 'prom-client';
import { createManualRuntime, type ManualRuntime } from '../kit/src/manual-runtime.ts';
import { registerAccount, type TestAccount } from './relay-account.ts';
import { linkDevice, type LinkedDevice } from './relay-channel.ts';
import { testOrigin } from './relay-device.ts';

/** A gateway on virtual time over the memory storage, without sockets. */
export type RelayWorld = {
  readonly runtime: ManualRuntime;
  readonly storage: Storage;
  readonly gateway: Gateway;
  readonly metrics: Registry;
  /** Every line that was logged. */
  readonly log: readonly string[];
  account(o?: { devices?: number; oneTimeKeys?: number }): Promise<TestAccount>;
  link(o?: Parameters<typeof linkDevice>[1]): LinkedDevice;
};

/** `wrap` may replace calls of the store, to make them fail or wait. */
export function createRelayWorld(o: { seed?: number; wrap?: (storage: Storage) => Storage } = {}): RelayWorld {
  const runtime = createManualRuntime({ seed: o.seed ?? 1 });
  const inner = createMemoryStorage({ runtime });
  const storage = o.wrap?.(inner) ?? inner;
  const metrics = new Registry();
  const log: string[] = [];
  const gateway = createGateway({
    storage,
    runtime,
    log: createLogger({ level: 'trace', destination: { write: (line) => log.push(line) } }),
    metrics: createMetrics(metrics),
    origins: [testOrigin, 'https://relay.example'],
    drainSpreadMs: 10_000,
    endOfTurn: setImmediate,
  });
  return {
    runtime,
    storage,
    gateway,
    metrics,
    log,
    account: (options) => registerAccount({ storage: inner, runtime }, options),
    link: (options) => linkDevice((channel, onAuthenticated) => gateway.connect(channel, onAuthenticated), options),
  };
}

/** Lets everything that is ready run, until the condition holds. Virtual time stands still. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000; turn += 1) {
    if (condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('the condition never held');
}

/** Lets everything that is ready run, for some turns. */
export async function settle(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
