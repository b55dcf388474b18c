import { stretch, warmUp, until, type Figures } from './measure.ts';
import { BarePair, WaxwingPair, type Pair } from './pair.ts';
import { createPeople, inPairs } from './people.ts';
import { startBare, startWaxwing, type Kind } from './process.ts';

export const PAIRS = 100;

/** 100 pairs of devices online, each with so many messages in flight. */
export async function onlinePairs(
  kind: Kind,
  o: { readonly window: number; readonly seconds: number; readonly profiles?: string },
): Promise<Figures> {
  return withPairs(kind, o, async (server, pairs) => {
    for (const pair of pairs) pair.keepInFlight(o.window);
    await warmUp(() => delivered(pairs));
    const figures = await stretch(server, () => delivered(pairs), o.seconds);
    await settle(pairs);
    return figures;
  });
}

/** Runs with the pairs of a fresh server, and ends all. */
export async function withPairs<T>(
  kind: Kind,
  o: { readonly profiles?: string; readonly env?: Readonly<Record<string, string>> },
  work: (server: Awaited<ReturnType<typeof startBare>>, pairs: readonly Pair[]) => Promise<T>,
): Promise<T> {
  const people = kind === 'waxwing' ? await createPeople(2 * PAIRS) : undefined;
  const server = people ? await startWaxwing(people.folder, o) : await startBare();
  const pairs = people
    ? inPairs(people.devices).map((two, index) => new WaxwingPair(server.url, index, two))
    : Array.from({ length: PAIRS }, (_, index) => new BarePair(server.url, index));
  try {
    await Promise.all(pairs.map(({ ready }) => ready));
    const result = await work(server, pairs);
    await Promise.all(pairs.map((pair) => pair.end()));
    return result;
  } finally {
    await server.end();
    people?.remove();
  }
}

export function delivered(pairs: readonly Pair[]): number {
  return pairs.reduce((sum, pair) => sum + pair.delivered, 0);
}

/** Lets what is in flight arrive. Throws if anything was refused or is missing. */
export async function settle(pairs: readonly Pair[]): Promise<void> {
  for (const pair of pairs) pair.keepInFlight(0);
  await until(() => pairs.every((pair) => pair.sent === pair.delivered && pair.sent === pair.answered), 'all arrived');
  const refused = pairs.flatMap((pair) => pair.refused);
  if (refused.length > 0) throw new Error(`refused: ${[...new Set(refused)].join()}`);
}
