import { expect, test } from 'vitest';
import { rows, runForCommit } from '../../bench/hostile/rows.ts';

test('a spoilt device file is refused by name and untouched, or is a store that names its damage; never a new one', async () => {
  const { perCommit } = rows.H7;
  const { cases, findings, answers } = await runForCommit('H7');
  expect(findings).toEqual([]);
  expect(cases).toBe(perCommit);
  expect(answers).toMatchObject({
    'a log of another store: store_damaged': perCommit / 21,
    'a newer version’s: store_too_new': perCommit / 21,
    'another key: store_key_mismatch': perCommit / 21,
    'nothing, beside a log: store_damaged': perCommit / 21,
    'somebody else’s: not_a_store': perCommit / 21,
    'untouched: opened': perCommit / 21,
  });
}, 120_000);
