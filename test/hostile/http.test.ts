import { expect, test } from 'vitest';
import { rows } from '../../bench/hostile/rows.ts';

test('every route answers wrong bodies, paths and types with a code of the table, and what it refuses changes nothing', async () => {
  const { perCommit, run } = rows.H4;
  const { cases, findings, answers } = await run({ cases: perCommit, seed: 1 });
  expect(findings).toEqual([]);
  expect(cases).toBe(perCommit);
  expect(answers['400 malformed']).toBeGreaterThan(perCommit / 10);
}, 60_000);
