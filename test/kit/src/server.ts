import type { SendHttp } from '@waxwing/client-core';
import { limits } from '@waxwing/protocol';
import type { Gateway } from '@waxwing/relay';
import { createMemoryStorage, type MemoryState } from '@waxwing/storage';
import { onDisk } from './full-storage.ts';
import { inProcessGateway, inProcessKeyserver, type InProcessKeyserver } from './in-process-server.ts';
import type { ManualRuntime } from './manual-runtime.ts';

/** What a server's disk held at a moment. */
export type Backup = { readonly takenAt: Date; readonly state: MemoryState };

/**
 * What a server finds on its disk when it starts: all it had (`kept`); accounts and keys, but no counter and no mailbox
 * (`forgotten`); or a backup, as `waxwing serve --restored` does.
 */
export type ServerStart = 'kept' | 'forgotten' | Backup;

/** The relay and the keyserver, one process. It begins running. */
export type TestServer = {
  /** What clients dial. Only clients of the same world reach it. */
  readonly url: string;
  readonly isUp: boolean;
  /** Ends it at once: connections break, calls fail; what it had accepted is on its disk. Idempotent. */
  kill(): void;
  /** Begins it anew, after killing it where it runs. Resolves when it serves; needs no virtual time. */
  start(from?: ServerStart): Promise<void>;
  /** A copy of its disk. */
  backup(): Backup;
  /** What waits in mailboxes goes, as it does after 24 hours: devices that were not there find holes that say `expired`. */
  expireMail(): void;
  /** While true, what would write is refused as on a full disk. */
  isDiskFull: boolean;
  /** What its clock is off by. */
  clockOffsetMs: number;
};

/** The server, and what the world takes of it. */
export type ServerParts = {
  readonly server: TestServer;
  /** Undefined while it is not running. */
  readonly gateway: () => Gateway | undefined;
  readonly http: SendHttp;
  close(): Promise<void>;
};

/** One life of the server's process. */
type Process = { dead: boolean; gateway: Gateway; keyserver: InProcessKeyserver };

export async function createTestServer(o: {
  readonly url: string;
  readonly runtime: ManualRuntime;
  /** Breaks every connection to it. */
  readonly cutAll: () => void;
}): Promise<ServerParts> {
  const { url } = o;
  let isDiskFull = false;
  let clockOffsetMs = 0;
  /** Beyond the clock: what the store takes for the time while it expires what it has. */
  let aheadMs = 0;
  const clock = { now: () => o.runtime.clock.now() + clockOffsetMs };
  const { randomBytes } = o.runtime;
  const storeRuntime = { clock: { now: () => clock.now() + aheadMs }, timers: o.runtime.timers, randomBytes };
  let storage = createMemoryStorage({ runtime: storeRuntime });
  let process = await begin();

  async function begin(): Promise<Process> {
    const life = { dead: false };
    const after = (ms: number, call: () => void) => o.runtime.timers.after(ms, () => life.dead || call());
    const runtime = { clock, timers: { after }, randomBytes };
    const disk = onDisk(storage, () => isDiskFull);
    const gateway = inProcessGateway({ storage: disk, runtime, origin: url });
    const keyserver = await inProcessKeyserver({ storage: disk, runtime, origin: url, gateway: () => gateway });
    return Object.assign(life, { gateway, keyserver });
  }

  const server: TestServer = {
    url,
    get isUp() {
      return !process.dead;
    },
    kill() {
      if (process.dead) return;
      process.dead = true;
      o.cutAll();
    },
    async start(from = 'kept') {
      server.kill();
      const { directory, relay } = storage.snapshot();
      await process.keyserver.close();
      if (from === 'kept') storage = createMemoryStorage({ runtime: storeRuntime, from: { directory, relay } });
      else if (from === 'forgotten') storage = createMemoryStorage({ runtime: storeRuntime, from: { directory } });
      else storage = createMemoryStorage({ runtime: storeRuntime, from: from.state, restored: true });
      process = await begin();
    },
    backup: () => ({ takenAt: new Date(clock.now()), state: storage.snapshot() }),
    expireMail() {
      aheadMs = limits.mailboxTtlMs;
      // Asked anything so long after the last time, the store looks through all it has.
      void storage.mailboxes.heads([]);
      aheadMs = 0;
    },
    get isDiskFull() {
      return isDiskFull;
    },
    set isDiskFull(is) {
      isDiskFull = is;
    },
    get clockOffsetMs() {
      return clockOffsetMs;
    },
    set clockOffsetMs(ms) {
      clockOffsetMs = ms;
    },
  };
  return {
    server,
    gateway: () => (process.dead ? undefined : process.gateway),
    async http(request) {
      const asked = process;
      refuseDead(asked);
      const answer = await asked.keyserver.http(request);
      refuseDead(asked);
      return answer;
    },
    async close() {
      server.kill();
      await process.keyserver.close();
    },
  };
}

function refuseDead({ dead }: Process): void {
  if (dead) throw new Error('nobody listens');
}
