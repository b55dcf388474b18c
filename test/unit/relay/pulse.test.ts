import { expect, it } from 'vitest';
import { createPulse } from '../../../relay/src/pulse.ts';
import { createManualRuntime } from '../../kit/src/manual-runtime.ts';

const INTERVAL_MS = 15_000;

function world() {
  const runtime = createManualRuntime();
  const pulse = createPulse(runtime.timers, INTERVAL_MS);
  const member = () => {
    const calls: number[] = [];
    const self = { calls, tick: () => void calls.push(runtime.clock.now()) };
    return { ...self, beat: pulse.add(self), self };
  };
  return { runtime, member };
}

it('a member is called within the interval, and then once in each', async () => {
  const { runtime, member } = world();
  const first = member();
  await runtime.advanceAsync(INTERVAL_MS - 1_000);
  const later = member();
  await runtime.advanceAsync(1_000);
  for (const { calls } of [first, later]) expect(calls).toHaveLength(1);
  await runtime.advanceAsync(9 * INTERVAL_MS);
  for (const { calls } of [first, later]) {
    expect(calls).toHaveLength(10);
    const gaps = calls.slice(1).map((atMs, index) => atMs - (calls[index] ?? 0));
    expect(new Set(gaps)).toEqual(new Set([INTERVAL_MS]));
  }
});

it('many members have few timers, and those who have gone have none', async () => {
  const { runtime, member } = world();
  const members = Array.from({ length: 1_000 }, member);
  expect(runtime.timersSet).toBeLessThan(50);
  const [gone, stay] = [members.slice(0, 999), members.slice(999)];
  for (const { beat, self } of gone) beat.remove(self);
  expect(runtime.timersSet).toBe(1);
  await runtime.advanceAsync(INTERVAL_MS);
  expect(gone.every(({ calls }) => calls.length === 0)).toBe(true);
  for (const { beat, self, calls } of stay) {
    expect(calls).toHaveLength(1);
    beat.remove(self);
  }
  expect(runtime.timersSet).toBe(0);
});

it('a member that goes while it is called holds up nobody', async () => {
  const runtime = createManualRuntime();
  const pulse = createPulse(runtime.timers, INTERVAL_MS);
  let calls = 0;
  const beats: ReturnType<typeof pulse.add>[] = [];
  for (let index = 0; index < 3; index += 1) {
    const self = {
      tick: () => {
        calls += 1;
        beats[index]?.remove(self);
      },
    };
    beats.push(pulse.add(self));
  }
  await runtime.advanceAsync(10 * INTERVAL_MS);
  expect(calls).toBe(3);
  expect(runtime.timersSet).toBe(0);
});
