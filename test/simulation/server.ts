import type { AccountId, Handle } from '@waxwing/protocol';
import type { Gateway } from '@waxwing/relay';
import { createMemoryStorage, type MemoryState, type MemoryStorage, type Storage } from '@waxwing/storage';
import type { HttpRequest, HttpResponse } from '@waxwing/client-core';
import { inProcessGateway, inProcessKeyserver } from '../kit/src/in-process-server.ts';
import type { ManualRuntime } from '../kit/src/manual-runtime.ts';
import type { Random } from './random.ts';
import type { Trace } from './trace.ts';

export const origin = 'http://relay.test';

/** What the store answered, kept over all of its lives: what must never be contradicted. */
export type Audit = { readonly violations: string[] };

/** A copy of what the store held, and what it had answered by then. */
export type Backup = { readonly state: MemoryState; readonly answered: Answered };

export type SimulatedServer = {
  readonly gateway: () => Gateway | undefined;
  readonly audit: Audit;
  /** Longest time that a call of the store takes, before and after its commit each. */
  storeMs: number;
  readonly up: boolean;
  /** Its process ends at once: what it had not committed is gone, what it had not said is not said. */
  crash(): void;
  /** Its process begins, on what the store holds: all, nothing but the directory, or an earlier copy. */
  start(how: 'whole' | 'lost' | { readonly restored: Backup; readonly told: boolean }): Promise<void>;
  snapshot(): Backup;
  http(request: HttpRequest): Promise<HttpResponse>;
  readonly storage: MemoryStorage;
  close(): Promise<void>;
};

export async function createServer(o: {
  readonly runtime: ManualRuntime;
  readonly random: Random;
  readonly trace: Trace;
  readonly elapsedMs: () => number;
  readonly limits: { readonly mailboxTtlMs?: number; readonly mailboxMaxEntries?: number };
}): Promise<SimulatedServer> {
  const { runtime, random, trace } = o;
  const audit = createAudit();
  let process = { dead: false };
  let storage = createMemoryStorage({ runtime, limits: o.limits });
  let slow = slowed(storage);
  let gateway: Gateway | undefined;
  let keyserver = await makeKeyserver();
  gateway = makeGateway();

  function slowed(under: MemoryStorage): Storage {
    const mine = process;
    const queue = { arrives: 0, answers: 0 };
    const around = <T extends object>(target: T): T =>
      new Proxy(target, {
        get(_target, name) {
          const method: unknown = Reflect.get(target, name);
          if (typeof method !== 'function') return method;
          if (name === 'listen') {
            return (device: never, wake: () => void): unknown =>
              Reflect.apply(method, target, [device, () => !mine.dead && wake()]);
          }
          return (...args: unknown[]) =>
            new Promise((resolve, reject) => {
              const now = o.elapsedMs();
              queue.arrives = Math.max(queue.arrives, now + random.fraction() * server.storeMs);
              const answer = (value: unknown): void => {
                const then = o.elapsedMs();
                queue.answers = Math.max(queue.answers, then + random.fraction() * server.storeMs);
                runtime.timers.after(queue.answers - then, () => !mine.dead && resolve(value));
              };
              runtime.timers.after(queue.arrives - now, () => {
                if (mine.dead) return;
                const called = Promise.resolve(Reflect.apply(method, target, args) as unknown);
                called.then((value) => {
                  audit.saw(String(name), args, value);
                  answer(value);
                }, reject);
              });
            });
        },
      });
    return {
      directory: around(under.directory),
      prekeys: around(under.prekeys),
      mailboxes: around(under.mailboxes),
      close: () => Promise.resolve(),
    };
  }

  function makeGateway(): Gateway {
    const mine = process;
    const timers = {
      after: (ms: number, call: () => void) => runtime.timers.after(ms, () => !mine.dead && call()),
    };
    const served = { clock: runtime.clock, timers, randomBytes: runtime.randomBytes };
    return inProcessGateway({ storage: slow, runtime: served, origin });
  }

  function makeKeyserver() {
    return inProcessKeyserver({ storage: slow, runtime, origin, gateway: () => gateway });
  }

  const server: SimulatedServer = {
    gateway: () => (process.dead ? undefined : gateway),
    audit,
    storeMs: 3,
    get up() {
      return !process.dead;
    },
    crash() {
      process.dead = true;
      gateway = undefined;
      trace.line('server ✕');
    },
    async start(how) {
      process.dead = true;
      process = { dead: false };
      const now = storage.snapshot();
      if (how === 'lost') {
        audit.remembers({ results: new Map(), heads: new Map() });
        storage = createMemoryStorage({ runtime, limits: o.limits, from: { directory: now.directory } });
      } else if (how === 'whole') {
        storage = createMemoryStorage({ runtime, limits: o.limits, from: now });
      } else {
        const { state, answered } = how.restored;
        audit.remembers(answered);
        storage = createMemoryStorage({ runtime, limits: o.limits, from: state, restored: how.told });
      }
      slow = slowed(storage);
      gateway = makeGateway();
      await keyserver.close();
      keyserver = await makeKeyserver();
      trace.line(`server starts ${typeof how === 'string' ? how : how.told ? 'restored' : 'restored in secret'}`);
    },
    snapshot: () => ({ state: storage.snapshot(), answered: audit.answered() }),
    async http(request) {
      if (process.dead) throw new Error('no route');
      return keyserver.http(request);
    },
    get storage() {
      return storage;
    },
    async close() {
      process.dead = true;
      await keyserver.close();
    },
  };
  return server;
}

type SubmitArgs = {
  readonly sender: { account: AccountId; device: number; addedIn: number };
  readonly handle: Handle;
  readonly n: number;
};
type Answer = {
  readonly type: string;
  readonly duplicate?: boolean;
  readonly sequence?: { readonly era: number; readonly number: number };
};

/** Where each sender and n was put, and the last sequence of each handle. */
type Answered = {
  readonly results: ReadonlyMap<string, string>;
  readonly heads: ReadonlyMap<string, { readonly era: number; readonly number: number }>;
};

/** I-1, I-2, I-5 and I-7 as the store's own answers show them. */
function createAudit() {
  const violations: string[] = [];
  /** By sender and n, as far as the store has not forgotten. */
  let results = new Map<string, string>();
  /** By handle and sequence, for ever. */
  const places = new Map<string, string>();
  /** By handle, as far as the store has not forgotten: what begins then may be earlier, where no sender knew of what was. */
  let heads = new Map<string, { era: number; number: number }>();
  const keys = new Set<string>();

  function submitted({ sender, handle, n }: SubmitArgs, answer: Answer): void {
    if (answer.type !== 'accepted' || answer.sequence === undefined) return;
    const { era, number } = answer.sequence;
    const who = `${handle} ${sender.account}.${sender.device}.${sender.addedIn} n=${n}`;
    const where = `${era}.${number}`;
    const before = results.get(who);
    if (before !== undefined && before !== where) violations.push(`I-1 ${who} is at ${before} and at ${where}`);
    results.set(who, where);
    const holder = places.get(`${handle} ${where}`);
    if (holder !== undefined && holder !== who) violations.push(`I-2 ${where} is given to ${holder} and to ${who}`);
    places.set(`${handle} ${where}`, who);
    if (answer.duplicate === true) return;
    const head = heads.get(handle);
    const dense = head && (era === head.era ? number === head.number + 1 : era > head.era && number === 1);
    if (head && !dense) violations.push(`I-2 ${handle} went from ${head.era}.${head.number} to ${where}`);
    if (!head && number !== 1) violations.push(`I-2 ${handle} began at ${where}`);
    heads.set(handle, { era, number });
  }

  function took(device: unknown, answer: unknown): void {
    if (typeof answer !== 'object' || answer === null || !('oneTimeKey' in answer)) return;
    const { oneTimeKey } = answer as { oneTimeKey: { publicKey: Uint8Array } };
    const name = Buffer.from(oneTimeKey.publicKey).toString('hex');
    if (keys.has(name)) violations.push(`I-5 a one-time key was handed out twice (${JSON.stringify(device)})`);
    keys.add(name);
  }

  return {
    violations,
    saw(method: string, args: readonly unknown[], answer: unknown): void {
      if (method === 'submit') submitted(args[0] as SubmitArgs, answer as Answer);
      if (method === 'take') took(args[0], answer);
    },
    answered: (): Answered => ({ results: new Map(results), heads: new Map(heads) }),
    /** The store lost all answers but these: other senders may be given another place, at a later sequence. */
    remembers(answered: Answered): void {
      results = new Map(answered.results);
      heads = new Map(answered.heads);
    },
  };
}
