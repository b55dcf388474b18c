import { limits } from '@waxwing/protocol';
import { describe, expect, it } from 'vitest';
import { createRateLimit } from '../../../relay/src/rate-limit.ts';
import { createManualRuntime } from '../../kit/src/manual-runtime.ts';

describe('a rate limit', () => {
  it('lets a burst through, then one per refill, and names the wait exactly', () => {
    const runtime = createManualRuntime();
    const rate = createRateLimit({ burst: 3, refillMs: 1_000 }, runtime.clock);
    expect([1, 2, 3].map(() => rate.take('a'))).toEqual([0, 0, 0]);
    expect(rate.take('a')).toBe(1_000);
    runtime.advance(400);
    expect(rate.take('a')).toBe(600);
    runtime.advance(600);
    expect(rate.take('a')).toBe(0);
    expect(rate.take('a', 2)).toBe(2_000);
  });

  it('takes nothing when it refuses, and keeps keys apart', () => {
    const runtime = createManualRuntime();
    const rate = createRateLimit({ burst: 3, refillMs: 1_000 }, runtime.clock);
    expect(rate.take('a', 4)).toBeGreaterThan(0);
    expect(rate.take('a', 3)).toBe(0);
    expect(rate.take('b', 3)).toBe(0);
  });

  it('never holds more than the burst, however long nothing comes or is given back', () => {
    const runtime = createManualRuntime();
    const rate = createRateLimit({ burst: 3, refillMs: 1_000 }, runtime.clock);
    rate.take('a');
    runtime.advance(3_600_000);
    rate.giveBack('a', 5);
    expect(rate.take('a', 4)).toBeGreaterThan(0);
    expect(rate.take('a', 3)).toBe(0);
    rate.giveBack('a');
    expect(rate.take('a')).toBe(0);
  });

  it('refills nothing when the clock steps back, and goes on from there', () => {
    const runtime = createManualRuntime();
    const rate = createRateLimit({ burst: 1, refillMs: 1_000 }, runtime.clock);
    rate.take('a');
    runtime.stepClock(-90_000_000);
    expect(rate.take('a')).toBe(1_000);
    runtime.advance(1_000);
    expect(rate.take('a')).toBe(0);
  });

  it('keeps a bounded number of keys, forgetting the oldest', () => {
    const runtime = createManualRuntime();
    const rate = createRateLimit({ burst: 1, refillMs: 1_000 }, runtime.clock);
    rate.take('first');
    for (let i = 0; i < limits.rateLimitKeysMax - 1; i += 1) rate.take(`${i}`);
    expect(rate.take('first')).toBeGreaterThan(0);
    rate.take('one more');
    expect(rate.take('first')).toBe(0);
  });

  it('giving back what nobody took forgets nobody', () => {
    const runtime = createManualRuntime();
    const rate = createRateLimit({ burst: 1, refillMs: 1_000 }, runtime.clock);
    rate.take('first');
    for (let i = 0; i < limits.rateLimitKeysMax - 1; i += 1) rate.take(`${i}`);
    rate.giveBack('of nobody');
    expect(rate.take('first')).toBeGreaterThan(0);
  });

  it('who gave all back is forgotten before those who did not', () => {
    const runtime = createManualRuntime();
    const rate = createRateLimit({ burst: 1, refillMs: 1_000 }, runtime.clock);
    rate.take('first');
    for (let i = 0; i < limits.rateLimitKeysMax - 1; i += 1) rate.take(`${i}`);
    rate.giveBack('0');
    rate.take('one more');
    expect(rate.take('first')).toBeGreaterThan(0);
  });
});
