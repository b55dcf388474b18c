import { copyFileSync, existsSync } from 'node:fs';
import {
  createClient,
  NoDeviceError,
  openClient,
  systemRuntime,
  type Client,
  type Crypto,
  type Runtime,
  type StoreOptions,
} from '@waxwing/client-core';
import type { ManualRuntime } from './manual-runtime.ts';
import { seededBytes } from './manual-runtime.ts';
import { createNetwork, type NetworkParts, type TestNetwork } from './network.ts';
import type { ServerParts } from './server.ts';
import type { VirtualTime } from './virtual-time.ts';

/** A device of the world: a file, a network, a clock. Nothing is on it until a client is created there. */
export type TestDevice = {
  readonly name: string;
  /**
   * What `createClient` and `openClient` need for a client on this device: for an app that makes its client itself. Of the
   * present process: ask again after `kill`.
   */
  readonly options: { readonly server: string; readonly store: StoreOptions; readonly runtime: Runtime };
  readonly network: TestNetwork;
  /** What its clock is off by. */
  clockOffsetMs: number;
  /**
   * Ends its process as kill -9 does. The client that ran there hears and says nothing more, and must not be used; what it
   * had committed is found by the next client on this device.
   */
  kill(): void;
};

/** The device, and what the world takes of it. */
export type DeviceParts = {
  readonly device: TestDevice;
  /** The client that the world made here, if it is open; else one on its file, which is made with a new account if it is new. */
  client(username: string | undefined): Promise<Client>;
  close(): Promise<void>;
};

/** Fewer than a client makes, for time; enough that they are not low at once. */
const ONE_TIME_KEYS = 25;

export function createTestDevice(o: {
  readonly name: string;
  readonly seed: string;
  /** Its file's, without an ending. */
  readonly path: string;
  readonly runtime: ManualRuntime;
  readonly time: VirtualTime;
  readonly server: ServerParts;
}): DeviceParts {
  const { name, time, server } = o;
  const key = seededBytes(`${o.seed}/${name}/key`)(32);
  const randomBytes = seededBytes(`${o.seed}/${name}`);
  const { http } = server;
  const random = seededBytes(`${o.seed}/${name}/network`);
  const parts = createNetwork({ runtime: o.runtime, time, random, gateway: server.gateway, http });
  let clockOffsetMs = 0;
  let lives = 1;
  let client: Promise<Client> | undefined;

  const path = (): string => `${o.path}.${lives}.db`;
  const clock = { now: () => o.runtime.clock.now() + clockOffsetMs };
  let options = makeOptions();

  function makeOptions(): TestDevice['options'] {
    const mine = lives;
    const { timers } = o.runtime;
    const runtime = aliveWhile(() => mine === lives, { ...parts, timers, crypto: countedCrypto(time) });
    return { server: server.server.url, store: { path: path(), key }, runtime: { ...runtime, clock, randomBytes } };
  }

  async function open(username: string | undefined): Promise<Client> {
    try {
      return await openClient(options);
    } catch (error) {
      if (!(error instanceof NoDeviceError)) throw error;
      return createClient({ ...options, ...(username !== undefined && { username }) });
    }
  }

  const isOpen = (one: Client): boolean => one.connection.getSnapshot().state !== 'closed';

  return {
    device: {
      name,
      get options() {
        return options;
      },
      network: parts.network,
      get clockOffsetMs() {
        return clockOffsetMs;
      },
      set clockOffsetMs(ms) {
        clockOffsetMs = ms;
      },
      kill() {
        const left = path();
        lives += 1;
        client = undefined;
        parts.network.cut();
        // Another name, as the file is still open under the old one in this process.
        for (const part of ['', '-wal']) if (existsSync(left + part)) copyFileSync(left + part, path() + part);
        options = makeOptions();
      },
    },
    client(username) {
      const before = client;
      client = (async () => {
        const made = await before?.catch(() => undefined);
        return made && isOpen(made) ? made : open(username);
      })();
      return client;
    },
    async close() {
      await (await client?.catch(() => undefined))?.close();
    },
  };
}

/** A runtime that calls nothing and answers nothing once its process is gone. */
function aliveWhile(
  isAlive: () => boolean,
  parts: Pick<NetworkParts, 'dial' | 'http'> & Pick<Runtime, 'timers' | 'crypto'>,
): Pick<Runtime, 'timers' | 'crypto' | 'dial' | 'http'> {
  const ifAlive = (call: () => void): void => {
    if (isAlive()) call();
  };
  return {
    crypto: parts.crypto,
    timers: { after: (ms, call) => parts.timers.after(ms, () => ifAlive(call)) },
    dial: (url, handlers) =>
      parts.dial(url, {
        opened: () => ifAlive(() => handlers.opened()),
        received: (bytes) => ifAlive(() => handlers.received(bytes)),
        closed: (end) => ifAlive(() => handlers.closed(end)),
      }),
    http: (request) =>
      new Promise((resolve, reject) => {
        if (!isAlive()) return;
        parts.http(request).then(
          (answer) => ifAlive(() => resolve(answer)),
          (error: unknown) => ifAlive(() => reject(error instanceof Error ? error : new Error(String(error)))),
        );
      }),
  };
}

/** libsignal, whose calls run beside the event loop: settling waits for them. */
function countedCrypto(time: VirtualTime): Crypto {
  const { crypto } = systemRuntime();
  return {
    ...crypto,
    startSession: (...args) => time.counted(() => crypto.startSession(...args)),
    encrypt: (...args) => time.counted(() => crypto.encrypt(...args)),
    decrypt: (...args) => time.counted(() => crypto.decrypt(...args)),
    createOneTimeKeys: (local, firstId, count, nowMs) =>
      crypto.createOneTimeKeys(local, firstId, Math.min(count, ONE_TIME_KEYS), nowMs),
  };
}
