import { mkdtempSync, rmSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  compareSequences,
  deviceListHash,
  decodeSignedDeviceList,
  encodeSignedDeviceList,
  parseDeviceId,
  parseEra,
  readDeviceList,
  signDeviceList,
} from '@waxwing/protocol';
import type { RandomBytes, Sequence } from '@waxwing/protocol';
import type { Client, Crypto } from '@waxwing/client-core';
import type { MemoryState } from '@waxwing/storage';
import { createLibsignalCrypto } from '../../client-core/src/session/libsignal-crypto.ts';
import { createManualRuntime } from '../support/manual-runtime.ts';
import { check } from './checker.ts';
import { Crashed, createDevice, type SimulatedDevice } from './device.ts';
import { createLink } from './network.ts';
import { losing, makePlan, type Fault, type Plan } from './plan.ts';
import { createRandom } from './random.ts';
import { createServer } from './server.ts';
import { createKeyOracle, createTestCrypto, quickSignToken, seededIdentity } from './test-crypto.ts';
import { createTrace } from './trace.ts';

/** Something that a person wants said: the app goes on until the client has taken it. */
export type Saying = {
  readonly key: string;
  readonly from: SimulatedDevice;
  readonly to: SimulatedDevice;
  readonly text: string;
  /** `send` has resolved: it is durable, and must arrive. */
  taken: boolean;
  /** What `cancel` answered. */
  cancelled: boolean | undefined;
};

export type Outcome = {
  readonly plan: Plan;
  readonly violations: readonly string[];
  readonly fired: ReadonlySet<string>;
  readonly said: number;
  readonly traceHash: string;
  readonly trace: readonly string[];
};

const TURNS_OF_REST = 8;
/** Memory where there is some: a commit costs no disk. */
const folderRoot = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
/** How long a calm network may need until all is said and heard. */
const CALM_MS = 300_000;
const QUIET_MS = 10_000;

/** Runs one seed: phases of faults, each followed by calm and a check of all that was promised. */
export async function simulate(seed: number, o: { readonly keepTrace?: boolean } = {}): Promise<Outcome> {
  const plan = makePlan(seed);
  const has = (fault: Fault): boolean => plan.faults.has(fault);
  const runtime = createManualRuntime({ seed: `world ${seed}` });
  const random = createRandom(`faults ${seed}`);
  const trace = createTrace(() => runtime.elapsedMs(), o.keepTrace ?? false);
  const folder = mkdtempSync(join(folderRoot, 'waxwing-simulation-'));
  const violations: string[] = [];
  const fired = new Set<string>();
  const fire = (fault: string): void => void fired.add(fault);
  const oracle = createKeyOracle();
  let busy = 0;
  const counted = async <T>(call: () => Promise<T>): Promise<T> => {
    busy += 1;
    try {
      return await call();
    } finally {
      busy -= 1;
    }
  };

  async function settle(): Promise<void> {
    for (let quiet = 0; quiet < TURNS_OF_REST; quiet += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (busy > 0) quiet = 0;
    }
  }

  async function run(ms: number): Promise<void> {
    const end = runtime.elapsedMs() + ms;
    await settle();
    for (let next = runtime.untilNextTimer(); next !== undefined; next = runtime.untilNextTimer()) {
      if (runtime.elapsedMs() + next > end) break;
      runtime.advance(next);
      await settle();
    }
    runtime.advance(end - runtime.elapsedMs());
    await settle();
  }

  async function wait<T>(promise: Promise<T>): Promise<T> {
    const state = { done: false };
    const end = (): void => void (state.done = true);
    promise.then(end, end);
    for (let passed = 0; !state.done; passed += 50) {
      if (passed > 60_000) throw new Error('a promise of the world stays open');
      await run(50);
    }
    return promise;
  }

  const unhandled = (error: unknown): void => {
    if (!(error instanceof Crashed))
      violations.push(`unhandled: ${error instanceof Error ? (error.stack ?? '') : String(error)}`);
  };
  process.on('unhandledRejection', unhandled);
  process.on('uncaughtException', unhandled);

  const expiryMs = 60_000;
  const server = await createServer({
    runtime,
    random: createRandom(`store ${seed}`),
    trace,
    elapsedMs: () => runtime.elapsedMs(),
    limits: {
      ...(has('expiry') && { mailboxTtlMs: expiryMs }),
      ...(has('quota') && { mailboxMaxEntries: 8 }),
    },
  });
  const sayings: Saying[] = [];
  const people: SimulatedDevice[] = [];

  function say(saying: Saying, client: Client): void {
    void (async () => {
      while (saying.from.client === client) {
        try {
          const conversation = await client.direct(saying.to.account);
          const sent = await conversation.send({ text: saying.text }, { id: saying.key });
          saying.taken = true;
          if (saying.cancelled === undefined && saying.text.startsWith('cancel')) {
            saying.cancelled = await sent.cancel();
            trace.line(`${saying.from.name} took back ${saying.text}: ${saying.cancelled}`);
          }
          return;
        } catch (error) {
          if (error instanceof Crashed || saying.from.client !== client) return;
          await new Promise<void>((resolve) => void runtime.timers.after(1_000, resolve));
        }
      }
    })();
  }

  /** The app's reader: each message once or marked, and in order unless it fills a hole. */
  function read(device: SimulatedDevice, client: Client, seen: Map<string, number>): void {
    const newest = new Map<string, Sequence>();
    void (async () => {
      for await (const { id, text, conversation, sequence, redelivered, late } of client.inbox()) {
        if (device.client !== client) return;
        const times = seen.get(id) ?? 0;
        if (times > 0 && !redelivered) violations.push(`${device.name} was given ${text} again, unmarked`);
        seen.set(id, times + 1);
        if (sequence === null) continue;
        const at = { era: parseEra(sequence.era), number: sequence.number };
        const last = newest.get(conversation);
        const isAhead = last === undefined || compareSequences(at, last) > 0;
        if (!isAhead && !late) violations.push(`I-10 ${device.name} was given ${text} after what follows it`);
        if (isAhead) newest.set(conversation, at);
      }
    })().catch((error: unknown) => {
      if (!(error instanceof Crashed)) violations.push(`the inbox of ${device.name}: ${String(error)}`);
    });
  }

  const heard = new Map<SimulatedDevice, Map<string, number>>();
  for (let index = 0; index < plan.people; index += 1) {
    const name = 'ABC'[index] ?? 'X';
    const bytes = createRandom(`device ${index} of ${seed}`);
    const crypto: Crypto = plan.real
      ? withFewKeys(createLibsignalCrypto(bytes.bytes), bytes.bytes)
      : createTestCrypto(bytes.bytes);
    const device = await wait(
      createDevice({
        name,
        path: join(folder, `${name}.db`),
        key: new Uint8Array(32).fill(index + 1),
        link: createLink({
          name,
          gateway: server.gateway,
          timers: runtime.timers,
          elapsedMs: () => runtime.elapsedMs(),
          random: createRandom(`link ${index} of ${seed}`),
          trace,
          fired: fire,
          left: (body) => oracle.left(body),
        }),
        server,
        runtime,
        random: bytes,
        trace,
        crypto,
        counted,
        fired: fire,
        started: (self, client) => {
          read(self, client, heard.get(self) ?? new Map<string, number>());
          for (const saying of sayings) if (saying.from === self && !saying.taken) say(saying, client);
        },
      }),
    );
    heard.set(device, new Map());
    people.push(device);
  }
  for (const device of people) device.start();

  function speak(text: string, from: SimulatedDevice, to: SimulatedDevice): void {
    const key = `${from.name}${to.name} ${sayings.length}`;
    const saying: Saying = { key, from, to, text: `${text} ${key}`, taken: false, cancelled: undefined };
    sayings.push(saying);
    if (from.client) say(saying, from.client);
  }

  function speakAtRandom(): void {
    const from = random.pick(people);
    const to = random.pick(people.filter((other) => other !== from));
    speak(random.chance(0.06) ? 'cancel' : 'say', from, to);
  }

  const at = (ms: number, call: () => void): void => void runtime.timers.after(ms, call);

  let backup: MemoryState | undefined;
  let serverOffMs = 0;

  async function restart(how: Parameters<typeof server.start>[0]): Promise<void> {
    if (server.up) server.crash();
    for (const device of people) device.link.cut();
    await server.start(how);
  }

  /** Sets up the faults of a phase. */
  function trouble(): void {
    const within = (share = 1): number => random.between(0, Math.floor(plan.phaseMs * share));
    const some = (most: number, call: () => void): void => {
      for (let left = random.between(1, most); left > 0; left -= 1) at(within(), call);
    };
    const someone = (): SimulatedDevice => random.pick(people);
    if (has('latency')) {
      for (const { link } of people) link.weather.latencyMs = random.pick([200, 1_500, 6_000]);
      fire('latency');
    }
    if (has('duplicate submit')) for (const { link } of people) link.weather.duplicates = 0.3;
    if (has('HTTP lost')) for (const { link } of people) link.weather.httpLoss = 0.3;
    if (has('slow store')) {
      server.storeMs = random.pick([50, 500, 4_000]);
      fire('slow store');
    }
    if (has('cut')) {
      some(5, () => {
        const { link } = someone();
        if (link.connected) fire('cut');
        link.cut();
      });
    }
    if (has('stall')) {
      some(2, () => {
        someone().link.stall(random.between(500, 15_000));
        fire('stall');
      });
    }
    if (has('half-open')) {
      some(1, () => {
        const { link } = someone();
        if (link.connected) fire('half-open');
        link.swallow(random.pick(['up', 'down', 'both']));
      });
    }
    if (has('offline')) {
      some(2, () => {
        const { link } = someone();
        link.weather.offline = true;
        link.cut();
        fire('offline');
        at(random.between(1_000, 20_000), () => (link.weather.offline = false));
      });
    }
    if (has('crash')) {
      some(3, () => {
        const device = someone();
        device.crash();
        at(random.between(10, 8_000), () => device.start());
      });
    }
    if (has('crash at a commit')) {
      some(4, () => {
        const device = someone();
        if (device.client) device.crashAtCommit(random.between(1, 6), random.pick(['before', 'after']));
      });
      for (let ms = 1_000; ms < plan.phaseMs; ms += 2_500) at(ms, () => people.forEach((device) => device.start()));
    }
    if (has('server crash')) {
      some(3, () => {
        if (!server.up) return;
        server.crash();
        fire('server crash');
        for (const device of people) device.link.cut();
        at(random.between(50, 5_000), () => void (server.up ? undefined : server.start('whole')));
      });
    }
    if (has('device clock step')) {
      some(2, () => {
        someone().clockOffMs = random.pick([-25, -1, 1, 25]) * 3_600_000;
        fire('device clock step');
      });
    }
    if (has('server clock step')) {
      some(1, () => {
        // Never further from the first time than a store takes floors for.
        const off = random.pick([-25, -0.02, 0.02, 1]) * 3_600_000;
        runtime.stepClock(off - serverOffMs);
        serverOffMs = off;
        fire('server clock step');
      });
    }
    if (has('list change')) some(1, () => void changeList(someone()));
    if (has('incarnation change')) {
      some(1, () => {
        fire('incarnation change');
        void restart({ restored: server.snapshot(), told: true });
      });
    }
    if (has('store lost')) {
      some(1, () => {
        fire('store lost');
        void restart('lost');
      });
    }
    if (has('store restored')) {
      at(within(0.4), () => (backup = server.snapshot()));
      at(Math.floor(plan.phaseMs * 0.4) + within(0.6), () => {
        if (!backup) return;
        fire('store restored');
        // The newest lists, and the keys of devices that came since, are kept: nobody publishes them again yet.
        const { lists, prekeys } = server.snapshot().directory;
        const kept = new Map([...prekeys, ...backup.directory.prekeys]);
        void restart({ restored: { ...backup, directory: { ...backup.directory, lists, prekeys: kept } }, told: true });
      });
    }
    if (has('expiry')) {
      at(within(0.3), () => {
        const device = someone();
        device.link.weather.offline = true;
        device.link.cut();
        fire('expiry');
        at(expiryMs + random.between(5_000, 30_000), () => (device.link.weather.offline = false));
      });
    }
    if (has('quota')) {
      at(within(0.3), () => {
        const device = someone();
        device.link.weather.offline = true;
        device.link.cut();
        for (let count = 12; count > 0; count -= 1)
          speak('flood', random.pick(people.filter((one) => one !== device)), device);
        fire('quota');
        at(random.between(20_000, 40_000), () => (device.link.weather.offline = false));
      });
    }
  }

  /** A device comes to the account, or goes again: one that is listed and has keys, and no process. */
  async function changeList(owner: SimulatedDevice): Promise<void> {
    const row = owner.store?.device.get();
    const stored = await server.storage.directory.deviceList(owner.account);
    if (!row || !stored) return;
    fire('list change');
    const crypto = createLibsignalCrypto(createRandom(`list ${seed} ${stored.list.version}`).bytes);
    const version = stored.list.version + 1;
    const device = parseDeviceId(2);
    const before = stored.list.devices;
    const auth = crypto.createAuthKeys();
    const added = {
      device,
      registrationId: crypto.createRegistrationId(),
      authKey: auth.publicKey,
      addedIn: version,
      encryptedName: new Uint8Array(0),
    };
    const devices = before.some((one) => one.device === device)
      ? before.filter((one) => one.device !== device)
      : [...before, added];
    const list = {
      ...stored.list,
      version,
      previousHash: deviceListHash(decodeSignedDeviceList(stored.signed)),
      devices,
    };
    const signed = signDeviceList(list, (message) => crypto.signIdentity(row.identityKeyPair, message));
    await server.storage.directory.putDeviceList({
      signed: encodeSignedDeviceList(signed),
      list: readDeviceList(signed),
    });
    if (devices.length > before.length) {
      const local = {
        address: { account: owner.account, device },
        registrationId: added.registrationId,
        identityKeyPair: row.identityKeyPair,
      };
      const { upload } = crypto.createRepeatedKeys(local, 1, runtime.clock.now());
      const bytes = (text: string): Uint8Array => Buffer.from(text, 'base64url');
      const key = (one: typeof upload.signedPrekey) => ({
        id: one.id,
        publicKey: bytes(one.publicKey),
        signature: bytes(one.signature),
      });
      await server.storage.prekeys.publish(
        { account: owner.account, device, addedIn: version },
        { signedPrekey: key(upload.signedPrekey), lastResortKyber: key(upload.lastResortKyber) },
      );
    }
    trace.line(`${owner.name} has ${devices.length} devices`);
  }

  /** Everything works again. */
  async function calm(): Promise<void> {
    for (const device of people) {
      const { link } = device;
      device.spare();
      Object.assign(link.weather, { latencyMs: 20, offline: false, duplicates: 0, httpLoss: 0 });
      link.cut();
    }
    server.storeMs = 3;
    if (!server.up) await server.start('whole');
    await run(1);
    for (const device of people) device.start();
  }

  const isSaid = (): boolean =>
    people.every(({ client, store }) => {
      if (client?.connection.getSnapshot().state !== 'online' || !store) return false;
      return store.outbox.framed().length === 0 && store.outbox.waitingConversations().length === 0;
    }) && sayings.every(({ taken }) => taken);

  async function untilSaid(): Promise<void> {
    for (let passed = 0; !isSaid(); passed += 1_000) {
      if (passed >= CALM_MS) {
        const states = people.map(({ name, client, store }) => {
          const open = store ? store.outbox.framed().length + store.outbox.waitingConversations().length : '-';
          return `${name} ${client?.connection.getSnapshot().state ?? 'down'}, ${open} open`;
        });
        violations.push(`not all is said after ${CALM_MS / 1_000} s of calm: ${states.join('; ')}`);
        return;
      }
      await run(1_000);
    }
  }

  try {
    await run(2_000);
    for (let phase = 0; phase < plan.phases; phase += 1) {
      trace.line(`phase ${phase}: ${[...plan.faults].join(', ')}`);
      trouble();
      for (let count = plan.messages; count > 0; count -= 1) at(random.between(0, plan.phaseMs), speakAtRandom);
      await run(plan.phaseMs);
      if (has('expiry') || has('quota')) await run(expiryMs + 40_000);
      await calm();
      await untilSaid();
      // What was lost shows at the latest with the next message.
      for (const from of people) for (const to of people) if (from !== to) speak('after', from, to);
      await untilSaid();
      await run(QUIET_MS);
      const mayLose = [...plan.faults].some((fault) => losing.has(fault));
      violations.push(...check({ people, sayings, heard, mayLose }), ...server.audit.violations.splice(0));
      violations.push(...oracle.reused.splice(0).map((key) => `a message key was used for two plaintexts: ${key}`));
      if (violations.length > 0) break;
    }
    for (const device of people) await wait(device.stop());
    await server.close();
  } catch (error) {
    violations.push(`the world: ${error instanceof Error ? (error.stack ?? '') : String(error)}`);
  } finally {
    await settle();
    process.off('unhandledRejection', unhandled);
    process.off('uncaughtException', unhandled);
    rmSync(folder, { recursive: true, force: true });
  }
  return { plan, violations, fired, said: sayings.length, traceHash: trace.hash(), trace: trace.lines };
}

/** libsignal with what a trace shows drawn from the seed: who is who, and under which handle they talk. */
function withFewKeys(crypto: Crypto, random: RandomBytes): Crypto {
  return {
    ...crypto,
    createIdentity: () => seededIdentity(random),
    signToken: quickSignToken(),
    createOneTimeKeys: (local, firstId, count, nowMs) =>
      crypto.createOneTimeKeys(local, firstId, Math.min(count, 24), nowMs),
  };
}
