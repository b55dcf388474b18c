import { expect, test } from 'vitest';
import { rows, runForCommit } from '../../bench/hostile/rows.ts';

test('every decoder reads spoilt bytes soundly or refuses them with a code of the table', async () => {
  const { perCommit } = rows.H2;
  const { cases, findings, answers } = await runForCommit('H2');
  expect(findings).toEqual([]);
  expect(cases).toBe(perCommit);
  expect(answers.read).toBeGreaterThan(perCommit / 20);
  expect(answers.malformed).toBeGreaterThan(perCommit / 20);
}, 120_000);
