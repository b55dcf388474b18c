import { expect, test } from 'vitest';
import { rows } from '../../bench/hostile/rows.ts';

test('a server process answers broken handshakes and frames with a code, and serves an honest pair meanwhile', async () => {
  const { perCommit, run } = rows.H1;
  const { cases, findings, measured } = await run({ cases: perCommit, seed: 1 });
  expect(findings).toEqual([]);
  expect(cases).toBe(perCommit);
  expect(measured?.honestMessages).toBeGreaterThan(0);
}, 120_000);
