import { expect, test } from 'vitest';
import { rows } from '../../bench/hostile/rows.ts';

test('wrong key material is refused by the keyserver, which keeps nothing of it, and by the client', async () => {
  const { perCommit, run } = rows.H5;
  const { cases, findings, answers } = await run({ cases: perCommit, seed: 1 });
  expect(findings).toEqual([]);
  expect(cases).toBe(perCommit);
  expect(answers['upload: bad_key']).toBeGreaterThan(perCommit / 4);
  expect(answers['bundle: refused']).toBeGreaterThan(perCommit / 4);
}, 60_000);
