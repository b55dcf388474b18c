import { expect, test } from 'vitest';
import { judge } from '../../bench/hostile/judge.ts';
import { Tally, type RowReport } from '../../bench/hostile/row.ts';
import { besiege, type Besieged } from '../../bench/hostile/siege.ts';

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function besieged(attack: (target: Besieged) => Promise<void>): Promise<readonly string[]> {
  const tally = new Tally('H1');
  const siege = await besiege(tally, { cases: 1, seed: 1, calmMs: 500 }, { attack });
  return judge(tally.report({ siege }), 'server', 'commit');
}

test('a siege notices one hold-up of the loop among all its samples, and memory that is not given back', async () => {
  expect(
    await besieged(async ({ tell }) => {
      await wait(500);
      tell('stall 1500');
      tell('keep 80');
      await wait(3_000);
    }),
  ).toEqual([expect.stringContaining('the server grew by '), expect.stringContaining('was held up for 1')]);
}, 120_000);

const measured: RowReport = {
  row: 'H1',
  cases: 2,
  answers: {},
  findings: [],
  siege: {
    residentGrowthMiB: 10,
    peakMiB: 200,
    loopDelayP999Ms: 20,
    loopDelayMaxMs: 90,
    honest: { messages: 500, perSecond: 50, p99Ms: 30, p99CalmMs: 20 },
  },
  own: { residentGrowthMiB: 1, peakMiB: 100, timed: 2, slowestCaseCpuMs: 3, signsOfLife: 2 },
};

test('a row is held to its measurements, and has them', () => {
  const { siege, own } = measured;
  if (!siege || !own) throw new Error('measured');
  const bare: RowReport = { row: 'H1', cases: 2, answers: {}, findings: [] };
  expect(judge(measured, 'both', 'release')).toEqual([]);
  expect(judge(bare, 'both', 'commit')).toEqual([
    'nothing was measured of a server',
    'nothing was measured of this process',
  ]);
  const faults: readonly [Partial<RowReport>, string][] = [
    [{ siege: { ...siege, residentGrowthMiB: 65 } }, 'the server grew by 65 MiB'],
    [{ siege: { ...siege, peakMiB: 513 } }, 'the server held 513 MiB'],
    [{ siege: { ...siege, loopDelayMaxMs: 1_001 } }, 'the server’s loop was held up for 1001 ms'],
    [{ siege: { ...siege, loopDelayP999Ms: 200 } }, 'the server’s loop was 200 ms late'],
    [{ siege: { ...siege, honest: { ...siege.honest, perSecond: 44.9 } } }, 'the honest pair said 44.9 a second'],
    [{ own: { ...own, residentGrowthMiB: 65 } }, 'this process grew by 65 MiB'],
    [{ own: { ...own, slowestCaseCpuMs: 1_001 } }, 'a case took 1001 ms of processor'],
    [{ own: { ...own, signsOfLife: 1 } }, '1 signs of life after 2 cases'],
    [{ own: { ...own, timed: 1 } }, '1 of 2 cases were timed'],
  ];
  for (const [fault, wrong] of faults) {
    expect(judge({ ...measured, ...fault }, fault.own ? 'own' : 'server', 'release')).toEqual([wrong]);
  }
});
