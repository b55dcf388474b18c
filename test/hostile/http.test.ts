import { expect, test } from 'vitest';
import { rows, runForCommit } from '../../bench/hostile/rows.ts';

test('every route answers wrong bodies, paths and types with a code of the table, and what it refuses changes nothing', async () => {
  const { perCommit } = rows.H4;
  const { cases, findings, answers } = await runForCommit('H4');
  expect(findings).toEqual([]);
  expect(cases).toBe(perCommit);
  expect(answers['400 malformed']).toBeGreaterThan(perCommit / 10);
}, 120_000);
