import { afterAll, describe, expect, it } from 'vitest';
import { proveFault } from '../../bench/faults/faults.ts';
import { hasDisks } from '../../bench/power-disk.ts';
import { reported } from '../../bench/faults/report.ts';
import { endProcesses } from '../support/processes.ts';

/** Each kind of each fault strikes once; the full count is the proof's. What takes minutes by the clock is the proof's alone. */
const size = { runs: 1, seed: 7 };
const timeout = 180_000;
const disks = hasDisks();

afterAll(endProcesses);

describe('two clients and a relay lose nothing, show nothing twice, keep one order and go on', () => {
  it.concurrent.each([
    ['F1', 'the relay is killed at each point of its work'],
    ['F6', 'its store is locked, full, and killed in a loop'],
    ['F7', 'the network between them is parted, refuses, or swallows'],
    ['F9', 'connections are cut inside a frame, or by halves'],
    ['F10', 'links are slow, unsteady, and bring single bytes'],
    ['F11', 'relay or client stand still'],
    ['F13', 'clocks step by 25 hours'],
    ['F20', 'a second process opens what is open'],
  ])(
    '%s: %s',
    async (name) => {
      const report = await proveFault(name, size);
      expect(report, JSON.stringify(report)).toMatchObject({
        ok: true,
        lost: 0,
        duplicated: 0,
        outOfOrder: 0,
        holes: 0,
        cloned: 0,
      });
    },
    timeout,
  );
});

it('a device that was stopped and displaced by its copy takes nothing that came since', { timeout }, async () => {
  const report = await proveFault('F11-displaced', size);
  expect(report).toMatchObject({ ok: true, lost: 0, duplicated: 0, shown: { displaced: 1, refused: 1 } });
});

// A disk that can lose power is a mounted file system: only root can make one.
describe.skipIf(!disks)('when the power goes from the disk of the relay', () => {
  it('what was reported sent is there', { timeout }, async () => {
    expect(await proveFault('F6-power', size)).toMatchObject({ ok: true, lost: 0 });
  });

  it('and is missing where the relay does not wait for its disk', { timeout }, async () => {
    const report = await proveFault('F6-power-unsynced', size);
    expect(report, JSON.stringify(report)).toMatchObject({ ok: true, weakened: true });
    expect(report.lost).toBeGreaterThan(0);
  });
});

describe('the proof sees what is weakened', () => {
  it.concurrent.each([
    ['F1-late', 'a relay that answers before its commit is made'],
    ['F7-deaf', 'a client that waits for ever for a sign of life'],
    ['F13-early', 'a relay whose mail expires before its time'],
    ['F19-late', 'a client that commits after it acks and sends'],
  ])(
    '%s: %s',
    async (name) => {
      const report = await proveFault(name, size);
      expect(report, JSON.stringify(report)).toMatchObject({ ok: true, weakened: true });
    },
    timeout,
  );
});

it('a fault that was not seen in each run is not shown', async () => {
  const head = { fault: 'F0', how: '', seed: 1, runs: 3, due: { one: 2, other: 1 } };
  const ok = async (shown: Record<string, number>) =>
    (await reported({ ...head, shown }, () => Promise.resolve({}))).ok;
  expect(await ok({ one: 2, other: 1 })).toBe(true);
  expect(await ok({ one: 1, other: 2 })).toBe(false);
  expect(await ok({ one: 2, other: 0 })).toBe(false);
  expect(await ok({ one: 1 })).toBe(false);
});
