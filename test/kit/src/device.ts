import { copyFileSync, existsSync } from 'node:fs';
import {
  createClient,
  NoDeviceError,
  openClient,
  systemRuntime,
  type Client,
  type Crypto,
  type Dial,
  type Runtime,
  type StoreOptions,
} from '@waxwing/client-core';
import type { ManualRuntime } from './manual-runtime.ts';
import { seededBytes } from './manual-runtime.ts';
import { createNetwork, type TestNetwork } from './network.ts';
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
   * Ends its process as kill -9 does. The client that ran there hears and says nothing more, and is closed, if the world
   * made it; an app closes its own. What it had committed is found by the next client on this device.
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
  /** Clients that are about to let go of their files. */
  const killed: Promise<void>[] = [];

  const path = (): string => `${o.path}.${lives}.db`;
  const clock = { now: () => o.runtime.clock.now() + clockOffsetMs };
  let options = makeOptions();

  function makeOptions(): TestDevice['options'] {
    const mine = lives;
    const isGone = (): boolean => mine !== lives;
    const refuseGone = (): void => {
      if (isGone()) throw new Error('this process was killed');
    };
    const dial: Dial = (url, handlers) => {
      if (!isGone()) return parts.dial(url, handlers);
      time.later(() => handlers.closed({ code: 1006, reason: 'killed' }));
      return { send: () => undefined, bufferedBytes: 0, close: () => undefined };
    };
    const runtime: Runtime = {
      clock,
      timers: o.runtime.timers,
      randomBytes,
      crypto: countedCrypto(time),
      dial,
      async http(request) {
        refuseGone();
        const answer = await parts.http(request);
        refuseGone();
        return answer;
      },
    };
    return { server: server.server.url, store: { path: path(), key }, runtime };
  }

  async function open(username: string | undefined): Promise<Client> {
    try {
      return await openClient(options);
    } catch (error) {
      if (!(error instanceof NoDeviceError)) throw error;
      return createClient({ ...options, ...(username !== undefined && { username }) });
    }
  }

  const closed = async (made: Promise<Client>): Promise<void> => (await made.catch(() => undefined))?.close();
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
        // What is on the disk now goes on under another name; what the killed client still does, as it ends, nobody sees.
        for (const part of ['', '-wal']) if (existsSync(left + part)) copyFileSync(left + part, path() + part);
        parts.network.cut();
        if (client) killed.push(closed(client));
        client = undefined;
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
      if (client) killed.push(closed(client));
      await Promise.all(killed);
    },
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
