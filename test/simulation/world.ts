import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { limits } from '@waxwing/protocol';
import type { Client, Crypto } from '@waxwing/client-core';
import { createLibsignalCrypto } from '../../client-core/src/session/libsignal-crypto.ts';
import { makeFolder } from '../kit/src/folder.ts';
import { createManualRuntime } from '../kit/src/manual-runtime.ts';
import { createVirtualTime } from '../kit/src/virtual-time.ts';
import { createAcknowledged } from './acknowledged.ts';
import { createAlarms } from './alarms.ts';
import { check } from './checker.ts';
import { Crashed, createDevice, type SimulatedDevice } from './device.ts';
import { fillable } from './fillable.ts';
import { readInbox } from './inbox-reader.ts';
import { createListings } from './listings.ts';
import { createLink } from './network.ts';
import { checkLied, type Verdict } from './lied-checker.ts';
import { createLiar, type Liar } from './liars/liar.ts';
import { keyserverLies } from './liars/keyserver-lies.ts';
import { losing, lies, type Fault, type Plan } from './plan.ts';
import { createRandom } from './random.ts';
import { createReading } from './reading.ts';
import type { Saying } from './saying.ts';
import { createServer } from './server.ts';
import { createKeyOracle, createTestCrypto, withFewKeys } from './test-crypto.ts';
import { createTrace } from './trace.ts';
import { createTrouble, expiryMs, quotaEntries } from './trouble.ts';

export type Outcome = {
  readonly plan: Plan;
  readonly violations: readonly string[];
  readonly fired: ReadonlySet<string>;
  readonly said: number;
  /** How often a hole was filled. */
  readonly filled: number;
  /** How often the server lied. */
  readonly lies: number;
  /** How each message stands at the end, where the server lied. */
  readonly verdicts: Readonly<Record<Verdict, number>> | undefined;
  readonly traceHash: string;
  readonly trace: readonly string[];
};

/** How long a calm network may need until all is said and heard. */
const CALM_MS = 300_000;
const ALONE_MS = 60_000;
/** How long all may be said where the server still lies. */
const LIED_MS = 60_000;
const QUIET_MS = 10_000;
/** How long repair may need when all is calm: it waits for up to an hour between two questions. */
const FILL_MS = 2 * 3_600_000;
const FILL_STEP_MS = 10_000;

/** Runs one plan: phases of faults, each followed by calm and a check of all that was promised. */
export async function simulate(plan: Plan, o: { readonly keepTrace?: boolean } = {}): Promise<Outcome> {
  const { seed } = plan;
  const has = (fault: Fault): boolean => plan.faults.has(fault);
  const runtime = createManualRuntime({ seed: `world ${seed}` });
  const random = createRandom(`faults ${seed}`);
  const trace = createTrace(() => runtime.elapsedMs(), o.keepTrace ?? false);
  const folder = makeFolder('waxwing-simulation-');
  const violations: string[] = [];
  const fired = new Set<string>();
  const fire = (fault: string): void => void fired.add(fault);
  const oracle = createKeyOracle();
  const { settle, run, wait, counted } = createVirtualTime(runtime);
  let filled = 0;
  const unhandled = (error: unknown): void => {
    if (!(error instanceof Crashed))
      violations.push(`unhandled: ${error instanceof Error ? (error.stack ?? '') : String(error)}`);
  };
  process.on('unhandledRejection', unhandled);
  process.on('uncaughtException', unhandled);

  const server = await createServer({
    runtime,
    random: createRandom(`store ${seed}`),
    trace,
    elapsedMs: () => runtime.elapsedMs(),
    limits: {
      ...(has('expiry') && { mailboxTtlMs: expiryMs }),
      ...(has('quota') && { mailboxMaxEntries: quotaEntries }),
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

  let liar: Liar | undefined;
  let verdicts: Outcome['verdicts'];

  const acknowledged = createAcknowledged();
  const alarms = createAlarms(() => runtime.elapsedMs());
  const listings = createListings(() => runtime.elapsedMs());
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
          left(message) {
            if (message.type === 'submit' || message.type === 'direct_submit') oracle.left(message.body);
            const device = people[index];
            if (device) listings.left(device, message);
          },
          acknowledged,
          liar: () => liar,
        }),
        server,
        runtime,
        random: bytes,
        trace,
        crypto,
        counted,
        mayLosePower: (has('crash') || has('crash at a commit')) && plan.burst === 1,
        liar: () => liar,
        fired: fire,
        asked(...call) {
          alarms.asked(...call);
          listings.asked(...call);
        },
        listings,
        told: (event) => {
          if (event.type === 'holeFilled') filled += 1;
        },
        started: (self, client) => {
          readInbox(self, client, {
            heard: heard.get(self) ?? new Map<string, number>(),
            violated: (violation) => void violations.push(violation),
            came: (message) => reading.came(self, client, message),
          });
          for (const saying of sayings) if (saying.from === self && !saying.taken) say(saying, client);
        },
      }),
    );
    const listed = await wait(server.storage.directory.deviceList(device.account));
    if (listed) listings.made(listed.signed);
    heard.set(device, new Map());
    people.push(device);
  }
  const readers = createRandom(`readers ${seed}`);
  const reading = createReading({ people, random: readers, timers: runtime.timers, trace });
  for (const device of people) device.start();

  function speak(text: string, from: SimulatedDevice, to: SimulatedDevice): void {
    const key = `${from.name}${to.name} ${sayings.length}`;
    const saying: Saying = {
      key,
      from,
      to,
      text: `${text} ${key}`,
      saidMs: runtime.elapsedMs(),
      taken: false,
      cancelled: undefined,
    };
    sayings.push(saying);
    if (from.client) say(saying, from.client);
  }

  function speakAtRandom(): void {
    const from = random.pick(people);
    const to = random.pick(people.filter((other) => other !== from));
    for (let left = plan.burst; left > 0; left -= 1)
      speak(!plan.lie && random.chance(0.06) ? 'cancel' : 'say', from, to);
  }

  const trouble = createTrouble({ plan, people, server, listings, runtime, random, trace, fired: fire, speak });

  if (plan.lie) {
    const parts = {
      random: createRandom(`lies of ${seed}`),
      accounts: new Map(people.map(({ name, account }) => [name, account])),
    };
    liar = createLiar(lies[plan.lie], parts);
  }

  /** Everything works again, and who is not told the truth is to hear it on a new connection. */
  async function calm(): Promise<void> {
    if (liar) liar.active = false;
    for (const { link } of people) link.cut();
    await clear();
  }

  /** Nothing fails any more. */
  async function clear(): Promise<void> {
    for (const device of people) {
      device.spare();
      device.clockOffMs = 0;
      Object.assign(device.link.weather, { latencyMs: 20, offline: false, duplicates: 0, httpLoss: 0 });
    }
    server.storeMs = 3;
    if (!server.up) await server.start('whole');
    await run(1);
    for (const device of people) device.start();
  }

  /** Those who know each other are told no lie about where their conversation begins; of keys they are told from the first. */
  async function meet(liar: Liar): Promise<void> {
    if (plan.lie && plan.lie in keyserverLies) {
      liar.active = true;
      return;
    }
    for (const from of people) for (const to of people) if (from !== to) speak('meet', from, to);
    await untilSaid();
    // Until the heads of a conversation that is opened are asked for again.
    await run(plan.lie === 'heads' ? limits.headsAskedEveryMs + QUIET_MS : QUIET_MS);
    liar.active = true;
  }

  const isSaid = (): boolean =>
    people.every(({ client, store }) => {
      if (client?.connection.getSnapshot().state !== 'online' || !store) return false;
      return store.outbox.framed().length === 0 && store.outbox.waitingConversations().length === 0;
    }) && sayings.every(({ taken }) => taken);

  /** What was lost shows at the latest with the next message. */
  async function speakAfter(patienceMs = CALM_MS): Promise<void> {
    for (const from of people) for (const to of people) if (from !== to) speak('after', from, to);
    await untilSaid(patienceMs);
    await run(QUIET_MS);
  }

  async function untilSaid(patienceMs = CALM_MS): Promise<void> {
    for (let passed = 0; !isSaid(); passed += 1_000) {
      if (passed >= patienceMs) {
        if (plan.lie) return;
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

  /** Nobody is there for so long; who went first is back first, and has to do without the others for a while. */
  async function stayAway(first: SimulatedDevice, ms: number): Promise<void> {
    for (const device of people) await wait(device.stop());
    await run(ms);
    first.start();
    await run(ALONE_MS);
    for (const device of people) device.start();
  }

  /** Holes are filled while all is calm, where somebody has what is missing. */
  async function untilFilled(): Promise<void> {
    for (let passed = 0; passed < FILL_MS && fillable(people).length > 0; passed += FILL_STEP_MS) {
      await run(FILL_STEP_MS);
    }
  }

  try {
    await run(2_000);
    if (liar) await meet(liar);
    for (let phase = 0; phase < plan.phases; phase += 1) {
      trace.line(`phase ${phase}: ${[...plan.faults].join(', ')}`);
      trouble.begin();
      for (let count = plan.messages; count > 0; count -= 1)
        runtime.timers.after(random.between(0, plan.phaseMs), speakAtRandom);
      const first = plan.awayMs === undefined ? undefined : random.pick(people);
      if (first) runtime.timers.after(random.between(0, plan.phaseMs / 2), () => void first.stop());
      await run(plan.phaseMs);
      if (first && plan.awayMs !== undefined) await stayAway(first, plan.awayMs);
      if (has('expiry') || has('quota')) await run(expiryMs + 40_000);
      if (plan.lie && plan.liesOn) {
        await clear();
        await speakAfter(LIED_MS);
        const lyingSinceMs = runtime.elapsedMs();
        await speakAfter(LIED_MS);
        violations.push(...checkLied({ people, sayings, heard, alarms, lie: plan.lie, lyingSinceMs }).violations);
      }
      await calm();
      await untilSaid();
      await speakAfter();
      violations.push(...listings.violations.splice(0));
      if (plan.lie) {
        const checked = checkLied({ people, sayings, heard, alarms, lie: plan.lie });
        verdicts = checked.verdicts;
        violations.push(...checked.violations, ...reading.check({ isAllHeard: false }));
      } else {
        const mayLose = plan.awayMs !== undefined || [...plan.faults].some((fault) => losing.has(fault));
        await untilFilled();
        await wait(reading.seeAll());
        await run(QUIET_MS);
        violations.push(...check({ people, sayings, heard, acknowledged, mayLose }));
        violations.push(...reading.check({ isAllHeard: true }));
      }
      // A store that is restored in secret contradicts itself.
      if (plan.lie !== 'store restored in secret') violations.push(...server.audit.violations.splice(0));
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
  return {
    plan,
    violations,
    fired,
    said: sayings.length,
    filled,
    lies: (liar?.lies ?? 0) + (fired.has('store restored in secret') ? 1 : 0),
    verdicts,
    traceHash: trace.hash(),
    trace: trace.lines,
  };
}
