import { expect, it } from 'vitest';
import { proveKill } from '../../bench/kill/proof.ts';

it(
  'nothing reported sent is lost, doubled or out of order when processes are killed',
  { timeout: 180_000 },
  async () => {
    const report = await proveKill({ messagesEachWay: 150, kills: 6, seed: 7 });
    expect(report).toMatchObject({ ok: true, messages: 300, lost: 0, duplicated: 0, outOfOrder: 0, holes: 0 });
    expect(report.kills).toBeGreaterThanOrEqual(6);
  },
);
