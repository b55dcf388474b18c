import { expect, test } from 'vitest';
import { planOf } from './plan.ts';
import { simulate } from './world.ts';

/** `npm run proof:simulation -- SEEDS 1 2 2 days` runs more. */
const SEEDS = [1, 2, 3, 4, 5, 6];

test('after days in which nobody was there, each message is on both devices, or a hole that nobody can fill', async () => {
  for (const seed of SEEDS) {
    const { violations, fired } = await simulate(planOf('days', seed));
    expect(violations, `seed ${seed}`).toEqual([]);
    expect(fired, `seed ${seed}`).toContain('expiry');
  }
}, 60_000);
