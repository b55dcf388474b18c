import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createMemoryStorage, type MemoryStorage } from '@waxwing/storage';
import {
  createClient,
  type Client,
  type ClientEvent,
  type Crypto,
  type HttpRequest,
  type HttpResponse,
  type IdentityPolicy,
  type Runtime,
  type SendHttp,
} from '@waxwing/client-core';
import { createClientOn } from '../../client-core/src/client.ts';
import { Generations } from '../../client-core/src/history/generations.ts';
import { openStore, type Store } from '../../client-core/src/history/store.ts';
import { createLibsignalCrypto } from '../../client-core/src/session/libsignal-crypto.ts';
import { createKeyserverClient, deviceTokens } from '../../client-core/src/transport/keyserver-client.ts';
import { makeFolder } from '../kit/src/folder.ts';
import { inProcessGateway, inProcessKeyserver } from '../kit/src/in-process-server.ts';
import { createManualRuntime, seededBytes, type ManualRuntime } from '../kit/src/manual-runtime.ts';
import { createVirtualTime } from '../kit/src/virtual-time.ts';
import { createClientLink, type ClientLink } from './client-link.ts';

export const worldOrigin = 'http://relay.test';

/** A device under test: its file, its client while it is open, and what stands between it and the servers. */
export type TestClient = {
  readonly path: string;
  readonly key: Uint8Array;
  readonly link: ClientLink;
  readonly runtime: Runtime;
  /** What the client is opened with by `reopen`. */
  identityPolicy: IdentityPolicy;
  /** What an HTTP exchange becomes. */
  http: (request: HttpRequest, send: SendHttp) => Promise<HttpResponse>;
  /** Called before each decryption, which waits for it. */
  beforeDecrypt: () => Promise<void> | void;
  /** What a frame becomes before it is encrypted for a device. */
  alterFrame: (frame: Uint8Array) => Uint8Array;
  /** Every frame that was encrypted, in order, as the client made it. */
  readonly frames: Uint8Array[];
  /** The account's identity. */
  identity: { readonly keyPair: Uint8Array; readonly publicKey: Uint8Array };
  client: Client;
  readonly events: ClientEvent[];
  /** The open file, where the client was opened by `reopen`. */
  store: Store | undefined;
};

/** Whole clients, a gateway and a keyserver over one memory storage, on virtual time, without sockets. */
export type ClientWorld = {
  readonly runtime: ManualRuntime;
  readonly storage: MemoryStorage;
  /** A new account with its first device. */
  create(): Promise<TestClient>;
  /** Also connected, its mailbox drained. */
  online(): Promise<TestClient>;
  connect(device: TestClient): Promise<void>;
  /** Closes the client if it is open, and opens it on the same file; `wrap` may replace parts of the store. */
  reopen(device: TestClient, wrap?: (store: Store) => Store): Promise<void>;
  /** Moves virtual time on, letting everything settle at each timer. */
  run(ms: number): Promise<void>;
  /** Lets everything settle; virtual time stands still. */
  settle(): Promise<void>;
  /** Runs, virtual time too, until the condition holds; rejects after a virtual minute. */
  until(condition: () => boolean): Promise<void>;
  /** The promise's value; virtual time goes on meanwhile. */
  wait<T>(promise: Promise<T>): Promise<T>;
  /**
   * The servers start anew: with all they had, `lost` without counters and mailboxes, or `restored` from what a backup of
   * this moment would hold.
   */
  restart(how: 'whole' | 'lost' | 'restored'): Promise<void>;
  close(): Promise<void>;
};

/** Fewer than a device makes, for time; enough that they are not low at once. */
const ONE_TIME_KEYS = 25;

export async function createClientWorld(o: { seed?: number } = {}): Promise<ClientWorld> {
  const runtime = createManualRuntime({ seed: o.seed ?? 1 });
  const { settle, run, until, wait, counted, later } = createVirtualTime(runtime);
  const folder = makeFolder('waxwing-world-');
  const devices: TestClient[] = [];
  let storage = createMemoryStorage({ runtime });
  let gateway = makeGateway();
  let keyserver = await makeKeyserver();

  function makeGateway() {
    return inProcessGateway({ storage, runtime, origin: worldOrigin });
  }

  function makeKeyserver() {
    return inProcessKeyserver({ storage, runtime, origin: worldOrigin, gateway: () => gateway });
  }

  function makeDevice(): Omit<TestClient, 'client'> {
    const id = devices.length + 1;
    const link = createClientLink(() => gateway, later);
    const randomBytes = seededBytes(`${o.seed ?? 1}/${id}`);
    const crypto = createLibsignalCrypto(randomBytes);
    const made = {
      path: join(folder, `${id}.db`),
      key: new Uint8Array(32).fill(id),
      link,
      identityPolicy: 'accept-and-warn' as IdentityPolicy,
      http: (request: HttpRequest, forward: SendHttp) => forward(request),
      beforeDecrypt: (): Promise<void> | void => undefined,
      alterFrame: (frame: Uint8Array) => frame,
      frames: [] as Uint8Array[],
      identity: { keyPair: new Uint8Array(0), publicKey: new Uint8Array(0) } as TestClient['identity'],
      events: [],
      store: undefined,
      runtime: undefined as unknown as Runtime,
    };
    const slow: Crypto = {
      ...crypto,
      startSession: (...args) => counted(() => crypto.startSession(...args)),
      createIdentity: () => (made.identity = crypto.createIdentity()),
      createOneTimeKeys: (local, firstId, count, nowMs) =>
        crypto.createOneTimeKeys(local, firstId, Math.min(count, ONE_TIME_KEYS), nowMs),
      encrypt(local, view, peer, frame, nowMs) {
        made.frames.push(frame);
        return counted(() => crypto.encrypt(local, view, peer, made.alterFrame(frame), nowMs));
      },
      decrypt: async (...args) => {
        await made.beforeDecrypt();
        return counted(() => crypto.decrypt(...args));
      },
    };
    const http: SendHttp = (request) => made.http(request, (sent) => counted(() => keyserver.http(sent)));
    made.runtime = { clock: runtime.clock, timers: runtime.timers, randomBytes, crypto: slow, dial: link.dial, http };
    return made;
  }

  function listen(device: TestClient): void {
    const events = device.client.events();
    void (async () => {
      for await (const event of events) device.events.push(event);
    })();
  }

  async function create(): Promise<TestClient> {
    const made = makeDevice();
    const { path, key } = made;
    const client = await wait(createClient({ server: worldOrigin, store: { path, key }, runtime: made.runtime }));
    const device: TestClient = Object.assign(made, { client });
    devices.push(device);
    listen(device);
    return device;
  }

  const connect = (device: TestClient): Promise<void> => wait(device.client.connect());

  return {
    runtime,
    get storage() {
      return storage;
    },
    create,
    async online() {
      const device = await create();
      await connect(device);
      return device;
    },
    connect,
    async reopen(device, wrap = (store) => store) {
      await wait(device.client.close());
      const { runtime: own } = device;
      const store = wrap(openStore(device.path, device.key, { create: false }));
      const row = store.device.get();
      if (row === undefined) throw new Error('no device');
      const generations = new Generations(store, own.randomBytes);
      const keyserverClient = createKeyserverClient({
        server: worldOrigin,
        http: own.http,
        clock: own.clock,
        token: deviceTokens({
          device: { account: row.account, device: row.device },
          generations: () => generations.list(),
          sign: (message) => own.crypto.signToken(row.authSecretKey ?? new Uint8Array(64), message),
        }),
      });
      device.store = store;
      device.client = createClientOn(store, own, row, generations, keyserverClient, device.identityPolicy);
      listen(device);
    },
    run,
    settle,
    until,
    wait,
    async restart(how) {
      const { directory, relay } = storage.snapshot();
      await wait(gateway.close());
      const from = how === 'lost' ? { directory } : { directory, relay };
      storage = createMemoryStorage({ runtime, from, restored: how === 'restored' });
      gateway = makeGateway();
      await keyserver.close();
      keyserver = await makeKeyserver();
    },
    async close() {
      for (const device of devices) await wait(device.client.close());
      await wait(gateway.close());
      await keyserver.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
