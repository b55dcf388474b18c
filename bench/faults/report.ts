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
  /** How often each kind was seen to have struck. */
  readonly shown: Readonly<Record<string, number>>;
  /** What broke off, if something did. */
  readonly problem?: string;
  readonly seconds: number;
  readonly ok: boolean;
};

/** Runs beyond those asked for. */
const TRIES_AGAIN = 8;

export type Size = { readonly runs: number; readonly seed: number };

/** One kind of a fault: strikes while both talk, and heals. Answers whether it was seen to strike. */
export type Strike = (world: World, run: number) => Promise<boolean>;

/** Strikes in turn with each kind, `runs` times in all and each kind once at least, in one world; then compares. */
export async function strikes(
  o: Size & {
    readonly fault: string;
    readonly how: string;
    readonly kinds: Readonly<Record<string, Strike>>;
    readonly relay?: RelayKind;
    readonly pace?: number;
    readonly store?: string;
    /** A run that is not over by then is a problem, and the last. Absent: as long as any run may take. */
    readonly settleMs?: number;
    /** What else must be so in the end; rejects with what is not. */
    readonly check?: (world: World) => Promise<void>;
  },
): Promise<FaultReport> {
  const names = Object.keys(o.kinds);
  const runs = Math.max(o.runs, names.length);
  const shown = Object.fromEntries(names.map((name) => [name, 0]));
  const { fault, how, seed } = o;
  return reported({ fault, how, seed, runs, shown }, () =>
    World.within(
      {
        random: seededRandom(seed),
        kind: o.relay ?? 'shipped',
        ...(o.pace !== undefined && { pace: o.pace }),
        ...(o.store !== undefined && { store: o.store }),
      },
      async (world) => {
        let problem: string | undefined;
        // A machine that is busy may be past the moment that a kind strikes at: what was not shown is tried again.
        const missed = (): string[] => names.filter((name) => shown[name] === 0);
        for (let run = 0; problem === undefined; run++) {
          const name = run < runs ? names[run % names.length] : missed()[0];
          if (name === undefined || run >= runs + TRIES_AGAIN) break;
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

/** Runs the work and makes the line of it: `ok` where nothing is wrong and each kind was shown. */
export async function reported(
  head: Pick<FaultReport, 'fault' | 'how' | 'seed' | 'runs' | 'shown'>,
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
  const isShown = Object.values(head.shown).every((count) => count > 0);
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
