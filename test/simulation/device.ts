import { parseDeviceId } from '@waxwing/protocol';
import type { Client, ClientEvent, Crypto, HttpRequest, Runtime } from '@waxwing/client-core';
import { createClient } from '@waxwing/client-core';
import { createClientOn } from '../../client-core/src/client.ts';
import { Generations } from '../../client-core/src/history/generations.ts';
import { openStore, type Store } from '../../client-core/src/history/store.ts';
import { createKeyserverClient, deviceTokens } from '../../client-core/src/transport/keyserver-client.ts';
import type { ManualRuntime } from '../kit/src/manual-runtime.ts';
import { createImager, type DiskImage } from './disk-image.ts';
import type { Liar } from './liars/liar.ts';
import type { Listings } from './listings.ts';
import type { Link } from './network.ts';
import type { Random } from './random.ts';
import { origin, type SimulatedServer } from './server.ts';
import type { Trace } from './trace.ts';

/** What is thrown where a process that is gone still runs. */
export class Crashed extends Error {}

/** One life of a device's process. */
type Process = { dead: boolean; commitsLeft: number | undefined; atCommit: 'before' | 'after' };

export type SimulatedDevice = {
  readonly name: string;
  readonly link: Link;
  readonly account: Client['account'];
  /** Undefined while its process is not running. */
  readonly client: Client | undefined;
  readonly store: Store | undefined;
  readonly events: ClientEvent[];
  /** What its wall clock is off by. */
  clockOffMs: number;
  /** Begins a process on the file, and connects. */
  start(): void;
  /** Ends it in order. */
  stop(): Promise<void>;
  /** Ends it as kill -9 does. */
  crash(): void;
  /** Lets it crash at a commit from now, `before` or `after` it is durable. */
  crashAtCommit(left: number, at: 'before' | 'after'): void;
  /** No crash is to come. */
  spare(): void;
};

export type DeviceParts = {
  readonly name: string;
  readonly path: string;
  readonly key: Uint8Array;
  readonly link: Link;
  readonly server: SimulatedServer;
  readonly runtime: ManualRuntime;
  readonly random: Random;
  readonly trace: Trace;
  readonly crypto: Crypto;
  /** Counts an asynchronous native call, which the world waits for. */
  readonly counted: <T>(call: () => Promise<T>) => Promise<T>;
  /** A crash may be that of the machine. */
  readonly mayLosePower: boolean;
  /** Stands between the device and the keyserver. */
  readonly liar: () => Liar | undefined;
  readonly fired: (fault: string) => void;
  readonly listings: Listings;
  readonly told: (event: ClientEvent) => void;
  /** Its client calls a method of its store. */
  readonly asked: (device: SimulatedDevice, noun: string, method: string, args: readonly unknown[]) => void;
  /** A process has begun: the app's own loops. */
  readonly started: (device: SimulatedDevice, client: Client) => void;
};

/** Makes the account, without faults, and leaves the device's process stopped. */
export async function createDevice(o: DeviceParts): Promise<SimulatedDevice> {
  let { path } = o;
  let copies = 0;
  let clockOffMs = 0;
  let process: Process = alive();
  let client: Client | undefined;
  let store: Store | undefined;
  let opened: Store | undefined;
  const imager = createImager();
  /** The disk as of the last commit that waited for it, while there are later ones that did not. */
  let synced: DiskImage | undefined;
  const events: ClientEvent[] = [];
  const { randomBytes } = { randomBytes: o.random.bytes };

  const made = await createClient({ server: origin, store: { path, key: o.key }, runtime: runtimeOf(process, true) });
  const { account } = made;
  await made.close();

  function runtimeOf(mine: Process, calm = false): Runtime {
    const { runtime, link, server, random } = o;
    const never = <T>(): Promise<T> => new Promise<T>(() => undefined);
    const guard = async <T>(call: () => Promise<T>): Promise<T> => {
      if (isOver(mine)) return never();
      // As a native call does, it answers in another turn: what else the process has to do may come in between.
      const answer = await o.counted(async () => {
        const made = await call();
        await new Promise((resolve) => setImmediate(resolve));
        return made;
      });
      if (isOver(mine)) await never();
      return answer;
    };
    const later = (ms: number): Promise<void> =>
      new Promise((resolve) => void runtime.timers.after(ms, () => !isOver(mine) && resolve()));
    const exchange = async (request: HttpRequest) => {
      const { weather } = link;
      const name = `${o.name} ${request.method} ${request.url.slice(origin.length).replace(/[0-9a-f-]{36}/, '…')}`;
      const isCutOff = (): boolean => weather.offline || !server.up;
      if (calm) return server.http(request);
      await later(1 + random.fraction() * weather.latencyMs);
      const lost = random.chance(weather.httpLoss);
      if (isCutOff() || (lost && random.chance(0.5))) {
        o.trace.line(`${name} lost`);
        if (lost) o.fired('HTTP lost');
        await later(random.fraction() * 5_000);
        throw new Error('no route');
      }
      const answered = server.http(request);
      const gaveUp = new Promise<never>((_resolve, reject) => {
        runtime.timers.after(20_000, () => reject(new Error('no answer')));
      });
      gaveUp.catch(() => undefined);
      const honest = await Promise.race([answered, gaveUp]);
      const answer = o.liar()?.http(o.name, request, honest) ?? honest;
      o.trace.line(`${name} ${answer.status}`);
      await later(1 + random.fraction() * weather.latencyMs);
      if (lost || isCutOff()) {
        if (lost) o.fired('HTTP lost');
        throw new Error('answer lost');
      }
      return answer;
    };
    const crypto: Crypto = {
      ...o.crypto,
      startSession: (...args) =>
        guard(async () => {
          const started = await o.crypto.startSession(...args);
          if (started.type === 'started') o.listings.sessionStarted(device, args[2], args[3]);
          return started;
        }),
      encrypt: (...args) =>
        guard(async () => {
          const encrypted = await o.crypto.encrypt(...args);
          if (encrypted.type === 'encrypted') o.listings.encrypted(device, args[2], encrypted.ciphertext);
          return encrypted;
        }),
      decrypt: (...args) => guard(() => o.crypto.decrypt(...args)),
    };
    return {
      clock: { now: () => runtime.clock.now() + (calm ? 0 : clockOffMs) },
      timers: { after: (ms, call) => runtime.timers.after(ms, () => unlessDead(mine, call)) },
      randomBytes,
      crypto,
      dial: (url, handlers) =>
        link.dial(url, {
          opened: () => unlessDead(mine, () => handlers.opened()),
          received: (bytes) => unlessDead(mine, () => handlers.received(bytes)),
          closed: (end) => unlessDead(mine, () => handlers.closed(end)),
        }),
      http: async (request) => {
        if (isOver(mine)) return never();
        const answer = await exchange(request).catch((error: unknown) => error);
        if (isOver(mine)) return never();
        if (answer instanceof Error) throw answer;
        return answer as Awaited<ReturnType<typeof exchange>>;
      },
    };
  }

  /** The store, of which nothing answers once the process is gone. */
  function guarded(under: Store, mine: Process): Store {
    const alive = (): void => {
      if (isOver(mine)) throw new Crashed();
    };
    const around = <T extends object>(noun: string, target: T): T =>
      new Proxy(target, {
        get(_target, name) {
          const method: unknown = Reflect.get(target, name);
          if (typeof method !== 'function') return method;
          return (...args: unknown[]): unknown => {
            alive();
            o.asked(device, noun, String(name), args);
            return Reflect.apply(method, target, args);
          };
        },
      });
    const nouns = Object.entries(under)
      .filter(([, noun]) => typeof noun === 'object')
      .map(([name, noun]) => [name, around(name, noun as object)]);
    return {
      ...(Object.fromEntries(nouns) as Omit<Store, 'transaction' | 'close'>),
      transaction(work, durability) {
        alive();
        if (durability?.synced === false && o.mayLosePower) keepSynced();
        const last = mine.commitsLeft === 1;
        if (mine.commitsLeft !== undefined) mine.commitsLeft -= 1;
        const result = under.transaction(() => {
          const made = work();
          if (last && mine.atCommit === 'before') die(mine, 'before a commit');
          return made;
        }, durability);
        if (durability?.synced !== false) synced = undefined;
        if (last) die(mine, 'after a commit');
        return result;
      },
      close: () => {
        if (!isOver(mine)) under.close();
      },
    };
  }

  function die(mine: Process, where: string): never {
    mine.dead = true;
    o.fired(`crash ${where}`);
    o.trace.line(`${o.name} ✕ ${where}`);
    // What is left of this turn runs against a store that does not answer; the file is taken over after it.
    o.runtime.timers.after(0, bury);
    throw new Crashed();
  }

  /** Before the first commit that does not wait for the disk: what a power cut would leave from now on. */
  function keepSynced(): void {
    synced ??= imager.take(path);
  }

  /** What the disk holds goes on under another name, as another process would find it; after a power cut, what was synced. */
  function bury(): void {
    o.link.dropDevice();
    const cut = synced !== undefined && o.random.chance(0.5) ? synced : undefined;
    if (cut) {
      o.fired('power cut');
      o.trace.line(`${o.name} had no power`);
    }
    copies += 1;
    const next = `${o.path}.${copies}`;
    (cut ?? imager.take(path)).writeTo(next);
    opened?.close();
    synced = undefined;
    path = next;
    client = undefined;
    store = undefined;
    opened = undefined;
  }

  const device: SimulatedDevice = {
    name: o.name,
    link: o.link,
    account,
    events,
    get client() {
      return client;
    },
    get store() {
      return store;
    },
    get clockOffMs() {
      return clockOffMs;
    },
    set clockOffMs(ms) {
      clockOffMs = ms;
    },
    start() {
      if (client) return;
      process = alive();
      const mine = process;
      opened = openStore(path, o.key, { create: false });
      store = guarded(opened, mine);
      const held = store;
      const row = store.device.get();
      if (row === undefined) throw new Error('no device');
      const runtime = runtimeOf(mine);
      const generations = new Generations(store, randomBytes);
      const keyserver = createKeyserverClient({
        server: origin,
        http: runtime.http,
        clock: runtime.clock,
        token: deviceTokens({
          device: { account: row.account, device: parseDeviceId(row.device) },
          generations: () => generations.list(),
          sign: (message) => runtime.crypto.signToken(held.device.get()?.authSecretKey ?? new Uint8Array(64), message),
        }),
      });
      client = createClientOn(store, runtime, row, generations, keyserver);
      o.trace.line(`${o.name} starts`);
      const begun = client;
      void (async () => {
        for await (const event of begun.events()) {
          if (isOver(mine)) return;
          events.push(event);
          o.told(event);
          o.trace.line(`${o.name} event ${event.type}${'what' in event ? `: ${event.what}` : ''}`);
        }
      })();
      begun.connect().catch((error: unknown) => o.trace.line(`${o.name} not connected: ${String(error)}`));
      o.started(device, begun);
    },
    async stop() {
      const ending = client;
      if (ending === undefined) return;
      const mine = process;
      await ending.close();
      if (isOver(mine)) return;
      mine.dead = true;
      client = undefined;
      store = undefined;
      opened = undefined;
      o.trace.line(`${o.name} stops`);
    },
    crash() {
      if (client === undefined || process.dead) return;
      process.dead = true;
      o.fired('crash');
      o.trace.line(`${o.name} ✕`);
      bury();
    },
    crashAtCommit(left, at) {
      process.commitsLeft = left;
      process.atCommit = at;
    },
    spare() {
      process.commitsLeft = undefined;
    },
  };
  return device;
}

function isOver(one: Process): boolean {
  return one.dead;
}

/** A process that ends within a call ends there. */
function unlessDead(mine: Process, call: () => void): void {
  if (isOver(mine)) return;
  try {
    call();
  } catch (error) {
    if (!(error instanceof Crashed)) throw error;
  }
}

function alive(): Process {
  return { dead: false, commitsLeft: undefined, atCommit: 'after' };
}
