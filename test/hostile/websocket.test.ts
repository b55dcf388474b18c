import { expect, test } from 'vitest';
import { rows, runForCommit } from '../../bench/hostile/rows.ts';

test('a server process answers broken handshakes and frames with a code, and serves an honest pair meanwhile', async () => {
  const { perCommit } = rows.H1;
  const { cases, findings, siege } = await runForCommit('H1');
  expect(findings).toEqual([]);
  expect(cases).toBe(perCommit);
  expect(siege?.honest.messages).toBeGreaterThan(0);
}, 120_000);
