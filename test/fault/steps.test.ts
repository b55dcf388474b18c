import { expect, it } from 'vitest';
import { seededRandom } from '../support/seeded.ts';
import { stepNames } from '../support/step-client.ts';
import { proveSteps } from '../support/steps-proof.ts';

const KILLS_PER_STEP = 1;

it('a client killed at any step of receiving and sending loses nothing, shows nothing twice, and goes on', async () => {
  const result = await proveSteps(KILLS_PER_STEP, seededRandom(7));
  expect(result).toMatchObject({ lost: 0, duplicated: 0, outOfOrder: 0, cloned: 0 });
  for (const step of stepNames) expect(result.kills[step], step).toBe(KILLS_PER_STEP);
}, 180_000);
