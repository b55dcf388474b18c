import { expect, test } from 'vitest';
import { rows } from '../../bench/hostile/rows.ts';

test('a client lives through spoilt frames, ciphertexts and envelopes, and shows what comes after them', async () => {
  const { perCommit, run } = rows.H6;
  const { cases, findings } = await run({ cases: perCommit, seed: 1 });
  expect(findings).toEqual([]);
  expect(cases).toBe(perCommit);
}, 60_000);
