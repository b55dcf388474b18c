import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@waxwing/client-core';
import type { Runtime } from '@waxwing/protocol';
import { createTestDevice, type DeviceParts, type TestDevice } from './device.ts';
import { makeFolder } from './folder.ts';
import { createManualRuntime } from './manual-runtime.ts';
import { createTestServer, type TestServer } from './server.ts';
import { createVirtualTime } from './virtual-time.ts';

export type WorldOptions = {
  /** What account ids, message ids, delays and faults are drawn from: the same seed draws the same. 1 if absent. */
  readonly seed?: number | string;
  /** When virtual time begins; 1 January 2026 if absent. */
  readonly startsAt?: Date;
};

/** A client that is asked for: on which device, and how. */
export type TestClientOptions = {
  /** The device's name. */
  readonly name: string;
  /** Of the new account, where there is none on the device yet. */
  readonly username?: string;
  /** False: the client is not connected. */
  readonly connect?: boolean;
};

/**
 * A relay, a keyserver and any number of devices in this process, without sockets. Time is virtual: it stands still until
 * `advance`, `until` or `wait` moves it, and then goes from timer to timer. What needs no time, as sending to somebody who
 * is online, happens by itself. A world leaves nothing behind once it is closed.
 */
export type TestWorld = {
  readonly server: TestServer;
  /** The world's clock, timers and random bytes, for what an app does by time itself. */
  readonly runtime: Runtime;
  /** The device of this name: the same one for the same name. */
  device(name: string): TestDevice;
  /**
   * A client on the device of this name, connected. New at the first call, with an account of its own; then the same one,
   * or where that was closed or killed, another one on the same file. Rejects as `createClient` and `openClient` do, and
   * where it is not online within a virtual minute.
   */
  client(asked: string | TestClientOptions): Promise<Client>;
  /** Moves virtual time on, timer by timer, letting everything settle at each. */
  advance(ms: number): Promise<void>;
  /** Lets happen what can without time. */
  settle(): Promise<void>;
  /** Moves virtual time on until the condition holds. Rejects after a virtual minute. */
  until(condition: () => boolean): Promise<void>;
  /** The promise's outcome; virtual time moves on meanwhile. Rejects after a virtual minute. */
  wait<T>(promise: Promise<T>): Promise<T>;
  /** Closes the clients that the world made, ends the server, and removes the files. Idempotent. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

const URL_OF_THE_SERVER = 'http://waxwing.test';

export async function createTestWorld(options: WorldOptions = {}): Promise<TestWorld> {
  const seed = String(options.seed ?? 1);
  const startsAtMs = options.startsAt?.getTime();
  const runtime = createManualRuntime({ seed, ...(startsAtMs !== undefined && { nowMs: startsAtMs }) });
  const time = createVirtualTime(runtime);
  const folder = makeFolder('waxwing-world-');
  const devices = new Map<string, DeviceParts>();
  const cutAll = (): void => devices.forEach(({ device }) => device.network.cut());
  const server = await createTestServer({ url: URL_OF_THE_SERVER, runtime, cutAll });

  function deviceOf(name: string): DeviceParts {
    const known = devices.get(name);
    if (known) return known;
    const path = join(folder, String(devices.size + 1));
    const made = createTestDevice({ name, seed, path, runtime, time, server });
    devices.set(name, made);
    return made;
  }

  async function end(): Promise<void> {
    try {
      await time.wait(Promise.all([...devices.values()].map((device) => device.close())));
    } finally {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    }
  }

  let closed: Promise<void> | undefined;
  const { clock, timers, randomBytes } = runtime;
  const world: TestWorld = {
    server: server.server,
    runtime: { clock, timers, randomBytes },
    device: (name) => deviceOf(name).device,
    async client(asked) {
      const { name, username, connect = true } = typeof asked === 'string' ? { name: asked } : asked;
      const client = await time.wait(deviceOf(name).client(username));
      if (connect) await time.wait(client.connect());
      return client;
    },
    advance: (ms) => time.run(ms),
    settle: () => time.settle(),
    until: (condition) => time.until(condition),
    wait: (promise) => time.wait(promise),
    close: () => (closed ??= end()),
    [Symbol.asyncDispose]: () => world.close(),
  };
  return world;
}
