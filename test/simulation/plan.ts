import { keyserverLies } from './liars/keyserver-lies.ts';
import type { Lie, LieParts } from './liars/liar.ts';
import { relayLies } from './liars/relay-lies.ts';
import { createRandom, type Random } from './random.ts';

/** What may go wrong in a run. Those of `losing` may cost mail: what is missing then must be shown as a hole. */
export const faults = [
  'latency',
  'cut',
  'stall',
  'half-open',
  'duplicate submit',
  'HTTP lost',
  'offline',
  'crash',
  'crash at a commit',
  'server crash',
  'slow store',
  'device clock step',
  'server clock step',
  'list change',
  'incarnation change',
  'expiry',
  'quota',
  'store lost',
  'store restored',
] as const;
export type Fault = (typeof faults)[number];

export const losing: ReadonlySet<Fault> = new Set(['expiry', 'quota', 'store lost', 'store restored']);

const CHANCE = 0.3;
const CHANCE_OF_LOSS = 0.12;

export type Plan = {
  readonly seed: number;
  /** Real libsignal instead of the test crypto. */
  readonly real: boolean;
  readonly people: number;
  readonly faults: ReadonlySet<Fault>;
  /** How often somebody speaks in a phase, and how many messages at a time. */
  readonly messages: number;
  readonly burst: number;
  readonly phases: number;
  readonly phaseMs: number;
  /** How long nobody is there after each phase: one went while the others spoke, and comes back before them. */
  readonly awayMs?: number;
  /** How the server lies, if it does. */
  readonly lie?: LieName;
  /** Whether it is judged before it stops, too. */
  readonly liesOn?: boolean;
};

const realEvery = 10;

function makePlan(seed: number): Plan {
  const random: Random = createRandom(`plan ${seed}`);
  const real = seed % realEvery === 0;
  const chosen = faults.filter((fault) => random.chance(losing.has(fault) ? CHANCE_OF_LOSS : CHANCE));
  return {
    seed,
    real,
    people: random.between(2, real ? 2 : 3),
    faults: new Set(chosen),
    messages: random.between(6, real ? 14 : 30),
    burst: 1,
    phases: 2,
    phaseMs: random.pick([15_000, 40_000]),
  };
}

/** Every way in which a server lies, and `store restored in secret`: an earlier store, and no word of it. */
const all = { ...relayLies, ...keyserverLies, 'store restored in secret': (): Lie => ({}) };
export type LieName = keyof typeof all;
export const lies: Readonly<Record<LieName, (parts: LieParts) => Lie>> = all;

function isLie(name: string): name is LieName {
  return Object.hasOwn(lies, name);
}

/** The plan of a seed: of everything that may go wrong, of days apart, of many honest messages, or of a server that lies so. */
export function planOf(kind: string, seed: number): Plan {
  if (kind === 'honest') return makeHonestPlan(seed);
  if (kind === 'faults') return makePlan(seed);
  if (kind === 'days') return makeDaysPlan(seed);
  if (isLie(kind)) return makeLyingPlan(kind, seed);
  throw new RangeError(`no such kind of plan: ${kind}`);
}

/** What a network and a device do even to those who are lied to. */
const harmless: readonly Fault[] = ['latency', 'cut', 'crash', 'HTTP lost', 'duplicate submit'];
const HARMLESS_CHANCE = 0.2;

function makeLyingPlan(lie: LieName, seed: number): Plan {
  const random: Random = createRandom(`lie ${lie} ${seed}`);
  const isOfKeys = lie in keyserverLies;
  const chosen = harmless.filter(() => random.chance(HARMLESS_CHANCE));
  return {
    seed,
    // The test crypto takes any bundle.
    real: isOfKeys,
    people: random.between(2, 3),
    faults: new Set([...chosen, ...(isOfKeys ? (['list change'] as const) : [])]),
    messages: random.between(8, 12),
    burst: 1,
    phases: 1,
    phaseMs: 15_000,
    lie,
    liesOn: seed % 2 === 0,
  };
}

/** Long conversations that nobody disturbs on purpose: nothing is lost, and nothing may be taken for a lie. */
function makeHonestPlan(seed: number): Plan {
  const random: Random = createRandom(`honest ${seed}`);
  const usual: readonly Fault[] = [...harmless, 'stall', 'half-open', 'offline', 'server crash', 'list change'];
  return {
    seed,
    real: false,
    people: random.between(2, 3),
    faults: new Set(usual.filter(() => random.chance(CHANCE))),
    messages: 200,
    burst: 50,
    phases: 1,
    phaseMs: 900_000,
  };
}

const HOUR_MS = 3_600_000;
/** Beyond what a mailbox keeps, what direct messages are known again for, and what others can be asked for. */
const awayHours = [25, 49, 5 * 24, 31 * 24] as const;

/** Devices that are away for days: nobody's process runs meanwhile, so that time costs nothing. */
function makeDaysPlan(seed: number): Plan {
  const random: Random = createRandom(`days ${seed}`);
  const usual: readonly Fault[] = ['latency', 'cut', 'stall', 'duplicate submit', 'HTTP lost', 'list change'];
  return {
    seed,
    real: seed % realEvery === 0,
    people: random.between(2, 3),
    faults: new Set(usual.filter(() => random.chance(CHANCE))),
    messages: random.between(6, 14),
    burst: 1,
    phases: 2,
    phaseMs: 40_000,
    awayMs: random.pick(awayHours) * HOUR_MS,
  };
}
