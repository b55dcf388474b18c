import { limits } from '@waxwing/protocol';
import { parsed } from '../../test/support/cli.ts';
import type { Person } from './person.ts';
import { strikes, type FaultReport, type Size, type Strike } from './report.ts';
import { pause, type World } from './world.ts';

const STEP_MS = 25 * 60 * 60 * 1_000;
/** So much before its time nothing may expire. */
const EARLY_MS = 60_000;
const WAITS_MS = 60_000;

/** The clock of one process steps; resolves when it says so, of a relay with how often its store had asked for the time. */
async function move(one: World['relay'] | Person, ms: number): Promise<number> {
  const stepped = (): string[] => one.process.lines.filter((line) => line.includes('"stepped"'));
  const before = stepped().length;
  one.process.write('said' in one ? JSON.stringify({ do: 'step', byMs: ms }) : String(ms));
  for (let left = 30_000; stepped().length === before; left -= 10) {
    if (left <= 0) throw new Error('the clock does not step');
    await pause(10);
  }
  return Number(parsed(stepped().at(-1)).asked ?? 0);
}

/**
 * The clock of one process steps, devices connect again under it and talk, and it steps back. What had been said before is
 * through by then. Seen: everybody connected under that clock.
 */
function step(whom: 'relay' | 'client', byMs: number): Strike {
  return async (world) => {
    await world.settle();
    const one = whom === 'relay' ? world.relay : (world.people[world.below(2)] ?? world.people[0]);
    await move(one, byMs);
    const connections = world.people.map(({ proxy }) => proxy.counts.connections);
    for (const { proxy } of world.people) proxy.reset();
    world.talk();
    await world.settle();
    const connected = world.people.every(({ proxy }, index) => proxy.counts.connections > (connections[index] ?? 0));
    await move(one, -byMs);
    if (world.below(2) === 0) for (const { proxy } of world.people) proxy.reset();
    world.talk();
    return connected;
  };
}

/** What the relay's clock does while mail waits for one who is away, and what that one then sees first of the mail. */
type Wait = {
  readonly steps: readonly number[];
  /** More is said to the one who is away after the first step. */
  readonly isSpoken?: true;
  readonly sees: 'mail' | 'expired';
};

/**
 * Mail waits for one who is away, the relay's clock steps, and they come back. All of it comes, what has expired by repair,
 * and the conversation stays in its era. Where `sees` is mail, nothing is ever a hole; where it is `expired`, each hole
 * says so. Seen: the mail waited, and was a hole where it had to expire.
 */
function waits({ steps, isSpoken, sees }: Wait): Strike {
  return async (world) => {
    await world.settle();
    const { speaker, listener } = world.parted();
    const era = await lastEra(speaker, listener);
    listener.proxy.refuse();
    listener.proxy.reset();
    const say = async (): Promise<void> => {
      speaker.say(listener, 8, 5);
      if (!(await speaker.until(() => speaker.sent.size === speaker.said.length, WAITS_MS))) {
        throw new Error(`${speaker.name} (${speaker.state}) cannot send`);
      }
    };
    await say();
    const asked: number[] = [];
    for (const [index, byMs] of steps.entries()) {
      asked.push(await move(world.relay, byMs));
      if (index === 0 && isSpoken) await say();
    }
    // A receipt that was still due, or the sweep, may come under a clock that is behind: what waits then bears its date.
    const isDated = steps.length > 1 && asked.at(-1) !== asked[0];
    const mayExpire = sees === 'expired' || isDated;
    const waiting = speaker.said.filter((text) => !listener.received.has(text)).length;
    listener.proxy.accept();
    const reasons = await holesUntilSettled(world, listener, speaker);
    const byMs = steps.reduce((sum, ms) => sum + ms, 0);
    if (byMs !== 0) await move(world.relay, -byMs);
    world.talk();
    await world.settle();
    const other = [...reasons].find((reason) => !mayExpire || reason !== 'expired');
    if (other !== undefined) throw new Error(`what waited was a hole: ${other}`);
    const now = await lastEra(speaker, listener);
    if (now !== era) throw new Error(`the era went from ${String(era)} to ${String(now)}`);
    return waiting > 0 && (sees === 'expired' ? reasons.size > 0 : !isDated);
  };
}

/** The reasons of the holes that a history has until everything has come. A hole is there for some seconds at least. */
async function holesUntilSettled(world: World, of: Person, peer: Person): Promise<Set<string>> {
  const reasons = new Set<string>();
  const over = new AbortController();
  const settled = world.settle().finally(() => over.abort());
  const looked = (async () => {
    for (;;) {
      const isLast = over.signal.aborted;
      for (const { kind, text } of await of.history(peer)) if (kind === 'hole') reasons.add(text);
      if (isLast) return;
      await pause(250);
    }
  })();
  await Promise.all([settled, looked]);
  return reasons;
}

async function lastEra(of: Person, peer: Person): Promise<number | undefined> {
  const eras = (await of.history(peer)).flatMap(({ era }) => (era === undefined ? [] : [era]));
  return eras.at(-1);
}

/** F13: clocks step by 25 h, forwards and backwards. */
export function clockSteps(size: Size): Promise<FaultReport> {
  return strikes({
    ...size,
    fault: 'F13',
    how: 'the clock given to relay or client steps by 25 h and back; mail waits while it does, to a minute before its time and beyond',
    relay: { pace: 1 },
    kinds: {
      relayForwards: step('relay', STEP_MS),
      relayBackwards: step('relay', -STEP_MS),
      clientForwards: step('client', STEP_MS),
      clientBackwards: step('client', -STEP_MS),
      waitsBackwards: waits({ steps: [-STEP_MS, STEP_MS], sees: 'mail' }),
      // What waits while something is said under a clock that is behind bears its date, and is past its time when it is right again.
      spokenBackwards: waits({ steps: [-STEP_MS, STEP_MS], isSpoken: true, sees: 'expired' }),
      waitsLong: waits({ steps: [limits.mailboxTtlMs - EARLY_MS], sees: 'mail' }),
      waitsTooLong: waits({ steps: [STEP_MS], sees: 'expired' }),
      waitsUnderClockBehind: waits({ steps: [-STEP_MS], sees: 'mail' }),
    },
  });
}

/** F13 with a relay whose mail lives two minutes less than it is said to: mail that waits long must be seen to go too early. */
export function earlyExpiry(size: Size): Promise<FaultReport> {
  return strikes({
    ...size,
    fault: 'F13-early',
    how: 'the relay lets mail expire two minutes before its time',
    relay: { pace: 1, early: true },
    kinds: { waitsLong: waits({ steps: [limits.mailboxTtlMs - EARLY_MS], sees: 'mail' }) },
  });
}
