import { expect, test } from 'vitest';
import { rows, runForCommit } from '../../bench/hostile/rows.ts';

test('legal messages in any order end in documented answers or closes, store nothing that was refused, and stop nobody', async () => {
  const { perCommit } = rows.H3;
  const { cases, findings, answers } = await runForCommit('H3');
  expect(findings).toEqual([]);
  expect(cases).toBe(perCommit);
  expect(answers.answered).toBeGreaterThan(perCommit / 10);
  expect(answers.accepted).toBeGreaterThan(0);
}, 120_000);
