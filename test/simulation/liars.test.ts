import { expect, test } from 'vitest';
import { lies, planOf } from './plan.ts';
import { simulate } from './world.ts';

/** The first seeds of each lie; `npm run proof:liars` has a thousand. */
const SEEDS = [1, 2, 3];

test.each(Object.keys(lies))(
  'a server that lies about %s is found out, or changes nothing',
  async (lie) => {
    let told = 0;
    for (const seed of SEEDS) {
      const outcome = await simulate(planOf(lie, seed));
      expect(outcome.violations, `seed ${seed}`).toEqual([]);
      told += outcome.lies;
    }
    expect(told).toBeGreaterThan(0);
  },
  60_000,
);
