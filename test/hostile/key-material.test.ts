import { expect, test } from 'vitest';
import { rows, runForCommit } from '../../bench/hostile/rows.ts';

test('wrong key material is refused by the keyserver, which keeps nothing of it, and by the client', async () => {
  const { perCommit } = rows.H5;
  const { cases, findings, answers } = await runForCommit('H5');
  expect(findings).toEqual([]);
  expect(cases).toBe(perCommit);
  expect(answers['upload: 422 bad_key']).toBeGreaterThan(perCommit / 4);
  expect(answers['bundle: refused']).toBeGreaterThan(perCommit / 4);
}, 120_000);
