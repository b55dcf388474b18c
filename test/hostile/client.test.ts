import { expect, test } from 'vitest';
import { rows, runForCommit } from '../../bench/hostile/rows.ts';

test('a client lives through spoilt frames, ciphertexts and envelopes and false claims, and shows what comes after each', async () => {
  const { perCommit } = rows.H6;
  const { cases, findings, answers } = await runForCommit('H6');
  expect(findings).toEqual([]);
  expect(cases).toBe(perCommit);
  for (const way of ['lost', 'repairRequest', 'repairAnswer', 'heads']) {
    expect(answers[`${way}, claimed`]).toBeGreaterThan(perCommit / 30);
  }
}, 120_000);
