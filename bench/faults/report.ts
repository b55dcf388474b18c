import { seededRandom } from '../../test/support/seeded.ts';
import type { RelayKind } from './relay-process.ts';
import { World, type WorldResult } from './world.ts';

/** One line of the proof. */
export type FaultReport = Partial<WorldResult> & {
  readonly proof: 'faults';
  readonly fault: string;
  readonly how: string;
  readonly seed: number;
  readonly runs: number;
  /** How often each kind must be seen to strike; in all, as often as there are runs. */
  readonly due: Readonly<Record<string, number>>;
  /** How often each kind was seen to have struck. */
  readonly shown: Readonly<Record<string, number>>;
  /** What broke off, if something did. */
  readonly problem?: string;
  readonly seconds: number;
  /** Something in it is weakened: `ok` is that the proof saw it. */
  readonly weakened?: true;
  readonly ok: boolean;
};

/** Runs beyond those asked for: so many, or one for each so many runs. */
const TRIES_AGAIN = { atLeast: 8, perRuns: 4 } as const;

/** How long a run of what must fail is waited for. */
export const WEAKENED_SETTLE_MS = 20_000;

export type Size = { readonly runs: number; readonly seed: number };

/** One kind of a fault: strikes while both talk, and heals. Answers whether it was seen to strike. */
export type Strike = (world: World, run: number) => Promise<boolean>;

/**
 * Strikes in turn with each kind until each was seen as often as it is due, `runs` times in all and each kind once at
 * least, in one world; then compares.
 */
export async function strikes(
  o: Size & {
    readonly fault: string;
    readonly how: string;
    readonly kinds: Readonly<Record<string, Strike>>;
    readonly relay?: RelayKind;
    readonly pace?: number;
    readonly deaf?: true;
    readonly store?: string;
    /** What was not seen is not tried again. */
    readonly once?: true;
    /** A run that is not over by then is a problem, and the last. Absent: as long as any run may take. */
    readonly settleMs?: number;
    /** What else must be so in the end; rejects with what is not. */
    readonly check?: (world: World) => Promise<void>;
  },
): Promise<FaultReport> {
  const names = Object.keys(o.kinds);
  const runs = Math.max(o.runs, names.length);
  const shown: Record<string, number> = Object.fromEntries(names.map((name) => [name, 0]));
  const due: Record<string, number> = Object.fromEntries(
    names.map((name, index) => [name, Math.ceil((runs - index) / names.length)]),
  );
  const triesAgain = o.once ? 0 : Math.max(TRIES_AGAIN.atLeast, Math.floor(runs / TRIES_AGAIN.perRuns));
  const { fault, how, seed } = o;
  return reported({ fault, how, seed, runs, due, shown }, () =>
    World.within(
      {
        random: seededRandom(seed),
        kind: o.relay ?? 'shipped',
        ...(o.pace !== undefined && { pace: o.pace }),
        ...(o.deaf && { deaf: o.deaf }),
        ...(o.store !== undefined && { store: o.store }),
      },
      async (world) => {
        let problem: string | undefined;
        // A machine that is busy may be past the moment that a kind strikes at: what was not shown is tried again.
        const missed = (): string | undefined => names.find((name) => (shown[name] ?? 0) < (due[name] ?? 0));
        for (let run = 0; problem === undefined; run++) {
          const name = run < runs ? names[run % names.length] : missed();
          if (name === undefined || run >= runs + triesAgain) break;
          try {
            world.talk();
            await world.moment(250);
            if (await o.kinds[name]?.(world, run)) shown[name] = (shown[name] ?? 0) + 1;
            await world.settle(o.settleMs);
            if (run >= runs - 1) await o.check?.(world);
          } catch (error) {
            problem = `${name}, run ${run}: ${error instanceof Error ? error.message : String(error)}`;
          }
        }
        return { ...(await world.result()), ...(problem !== undefined && { problem }) };
      },
    ),
  );
}

/** Runs the work and makes the line of it: `ok` where nothing is wrong and each kind was shown as often as it is due. */
export async function reported(
  head: Pick<FaultReport, 'fault' | 'how' | 'seed' | 'runs' | 'due' | 'shown'>,
  work: () => Promise<Partial<WorldResult> & { readonly problem?: string }>,
): Promise<FaultReport> {
  const began = performance.now();
  let result: Partial<WorldResult> = {};
  let problem: string | undefined;
  try {
    ({ problem, ...result } = await work());
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  const { messages = 0, historiesEqual = problem === undefined, ...faults } = result;
  const isClean = Object.values(faults).every((count) => count === 0) && historiesEqual;
  const isShown =
    Object.entries(head.due).every(([kind, count]) => (head.shown[kind] ?? 0) >= count) &&
    Object.values(head.shown).reduce((sum, count) => sum + count, 0) >= head.runs;
  return {
    proof: 'faults',
    ...head,
    messages,
    ...faults,
    historiesEqual,
    ...(problem !== undefined && { problem }),
    seconds: Math.round((performance.now() - began) / 1_000),
    ok: problem === undefined && isClean && isShown,
  };
}
