import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { randomFraction, sameBytes, sha256, systemRuntime } from '@waxwing/protocol';

describe('a random fraction', () => {
  it('is at least 0 and below 1, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (bytes) => {
        const fraction = randomFraction(() => bytes);
        expect(fraction >= 0 && fraction < 1).toBe(true);
      }),
    );
    expect(randomFraction(() => new Uint8Array(4))).toBe(0);
    expect(randomFraction(() => new Uint8Array(4).fill(0xff))).toBe(1 - 2 ** -32);
  });

  it('reads its bytes where they lie in a larger buffer', () => {
    const pool = Uint8Array.of(0xff, 0xff, 0x80, 0, 0, 0, 0xff);
    expect(randomFraction(() => pool.subarray(2, 6))).toBe(0.5);
  });
});

describe('the system runtime', () => {
  beforeEach(() => vi.useFakeTimers({ now: 1_800_000_000_000 }));
  afterEach(() => vi.useRealTimers());

  it('tells the time', () => {
    vi.setSystemTime(1_800_000_000_123);
    expect(systemRuntime.clock.now()).toBe(1_800_000_000_123);
  });

  it('calls back once after the delay, and not when cancelled', () => {
    const called: string[] = [];
    systemRuntime.timers.after(50, () => called.push('kept'));
    const cancel = systemRuntime.timers.after(50, () => called.push('cancelled'));
    cancel();
    vi.advanceTimersByTime(49);
    expect(called).toEqual([]);
    vi.advanceTimersByTime(100);
    expect(called).toEqual(['kept']);
    cancel();
  });

  it('gives as many random bytes as asked, not the same twice', () => {
    const [a, b] = [systemRuntime.randomBytes(32), systemRuntime.randomBytes(32)];
    expect([a.length, b.length, sameBytes(a, b)]).toEqual([32, 32, false]);
  });
});

describe('bytes', () => {
  it('are the same when every one is, and both are as long', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        expect(sameBytes(a, b)).toBe(Buffer.from(a).toString('hex') === Buffer.from(b).toString('hex'));
        expect(sameBytes(a, Uint8Array.from(a))).toBe(true);
        expect(sameBytes(a, Uint8Array.of(...a, 0))).toBe(false);
      }),
    );
  });

  it('hash as one, however they are split', () => {
    expect(Buffer.from(sha256('a', 'b', Buffer.from('c'))).toString('hex')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
  });
});
