import { PrivateKey, PublicKey } from '@signalapp/libsignal-client';
import { limits } from '@waxwing/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressRateKey } from '../../../keyserver/src/address-key.ts';
import { createIdempotentAnswers } from '../../../keyserver/src/idempotent-answers.ts';
import { isAgreementKey, smallOrderPoints } from '../../../keyserver/src/libsignal/key-form.ts';
import { answered, refused } from '../../../keyserver/src/refusal.ts';
import { createSpentTokens } from '../../../keyserver/src/spent-tokens.ts';
import { createTokenBuckets } from '../../../keyserver/src/token-buckets.ts';
import { createManualRuntime } from '../../kit/src/manual-runtime.ts';

describe('a token bucket', () => {
  test('gives no more than burst and refill over any stretch of time, and serves who waited as told', () => {
    const steps = fc.array(fc.record({ waitMs: fc.nat(5_000), cost: fc.integer({ min: 1, max: 12 }) }), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 700 }), (all, refillMs) => {
        const runtime = createManualRuntime();
        const buckets = createTokenBuckets(runtime.clock, { burst: 10, refillMs });
        const startMs = runtime.clock.now();
        let given = 0;
        for (const { waitMs, cost } of all) {
          runtime.advance(waitMs);
          const toldMs = buckets.take('a', cost);
          if (toldMs === 0) given += Math.min(cost, 10);
          expect(given).toBeLessThanOrEqual(10 + (runtime.clock.now() - startMs) / refillMs + 1e-3);
          if (toldMs === 0) continue;
          runtime.advance(toldMs);
          expect(buckets.take('a', cost)).toBe(0);
          given += Math.min(cost, 10);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('is of one key alone', () => {
    const buckets = createTokenBuckets(createManualRuntime().clock, { burst: 1, refillMs: 1_000 });
    expect([buckets.take('a'), buckets.take('a'), buckets.take('b')]).toEqual([0, 1_000, 0]);
  });

  test('refills nothing when the clock steps back', () => {
    const runtime = createManualRuntime();
    const buckets = createTokenBuckets(runtime.clock, { burst: 1, refillMs: 1_000 });
    buckets.take('a');
    runtime.stepClock(-3_600_000);
    expect(buckets.take('a')).toBe(1_000);
  });

  test('is forgotten when more keys came than are kept, the one used longest ago first', () => {
    const buckets = createTokenBuckets(createManualRuntime().clock, { burst: 1, refillMs: 1_000 }, 2);
    for (const key of ['a', 'b']) buckets.take(key);
    buckets.take('a');
    buckets.take('c');
    expect([buckets.take('a'), buckets.take('b')]).toEqual([1_000, 0]);
  });
});

describe('spent tokens', () => {
  test('are refused for as long as any token can live', () => {
    const runtime = createManualRuntime();
    const tokens = createSpentTokens(runtime.clock);
    expect(tokens.spend('a')).toBe('fresh');
    runtime.advance(limits.tokenLifetimeMs + limits.tokenFutureMs - 1);
    expect(tokens.spend('a')).toBe('spent');
    runtime.advance(1);
    expect(tokens.spend('a')).toBe('fresh');
  });

  test('are not forgotten for want of room: new ones are refused until some expire', () => {
    const runtime = createManualRuntime();
    const tokens = createSpentTokens(runtime.clock, 2);
    expect(['a', 'b', 'c', 'a'].map((hash) => tokens.spend(hash))).toEqual(['fresh', 'fresh', 'full', 'spent']);
    runtime.advance(limits.tokenLifetimeMs + limits.tokenFutureMs);
    expect(tokens.spend('c')).toBe('fresh');
  });
});

describe('idempotent answers', () => {
  const create = (answers: number, bytes: number) => {
    let worked = 0;
    const memory = createIdempotentAnswers<string>(createManualRuntime().clock, (body) => body.length, {
      answers,
      bytes,
    });
    const ask = (key: string | undefined, size = 1) =>
      memory.once('scope', key, 'request', () => Promise.resolve(answered(`${++worked}`.padEnd(size))));
    return { memory, ask, worked: () => worked };
  };

  test('are bounded in number: the oldest is forgotten', async () => {
    const { ask, worked } = create(2, 1_000);
    for (const key of ['a', 'b', 'c']) await ask(key);
    await ask('c');
    expect(worked()).toBe(3);
    await ask('a');
    expect(worked()).toBe(4);
  });

  test('are bounded in bytes: the oldest is forgotten', async () => {
    const { ask, worked } = create(100, 25);
    await ask('a', 10);
    await ask('b', 10);
    await ask('c', 10);
    await ask('b', 10);
    expect(worked()).toBe(3);
    await ask('a', 10);
    expect(worked()).toBe(4);
  });

  test('an answer larger than all room is given and not kept', async () => {
    const { ask, worked } = create(100, 25);
    expect(await ask('a', 26)).toMatchObject({ type: 'answer' });
    await ask('a', 26);
    expect(worked()).toBe(2);
  });

  test('without a key work every time', async () => {
    const { ask, worked } = create(100, 1_000);
    await ask(undefined);
    await ask(undefined);
    expect(worked()).toBe(2);
  });

  test('neither refusals nor failures are kept', async () => {
    const { memory, ask } = create(100, 1_000);
    expect(await memory.once('scope', 'a', 'r', () => Promise.resolve(refused('internal')))).toMatchObject({
      code: 'internal',
    });
    await expect(memory.once('scope', 'b', 'r', () => Promise.reject(new Error('store')))).rejects.toThrow('store');
    expect(await ask('a')).toMatchObject({ type: 'answer' });
    expect(await ask('b')).toMatchObject({ type: 'answer' });
  });

  test('a forgotten answer that settles late leaves the newer one under its key alone', async () => {
    const { memory, ask, worked } = create(1, 1_000);
    let settle: (() => void) | undefined;
    const slow = memory.once(
      'scope',
      'a',
      'other',
      () => new Promise((resolve) => (settle = () => resolve(answered('x')))),
    );
    await ask('b');
    await ask('a');
    settle?.();
    await slow;
    await ask('a');
    expect(worked()).toBe(2);
  });
});

describe('the key of an address', () => {
  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::', '2001:db8:1:2'],
    ['2001:0db8:0001:0002:ffff::1', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
  ])('%s is %s', (address, key) => expect(addressRateKey(address)).toBe(key));
});

describe('the form of an X25519 key', () => {
  const key = (hex: string) => Buffer.from(`05${hex}`, 'hex');

  test('points of small order are refused: libsignal cannot agree with them', () => {
    for (const hex of smallOrderPoints) {
      expect(isAgreementKey(key(hex))).toBe(false);
      const point = PublicKey.deserialize(new Uint8Array(key(hex)));
      expect(() => PrivateKey.generate().agree(point)).toThrow();
    }
  });

  test.each(['ed', 'ee', 'ef', 'ff'])('a coordinate that is not reduced is refused: %s…7f', (low) => {
    expect(isAgreementKey(key(`${low}${'ff'.repeat(30)}7f`))).toBe(false);
  });

  test('the largest reduced coordinate of full order is taken', () => {
    expect(isAgreementKey(key(`eb${'ff'.repeat(30)}7f`))).toBe(true);
  });

  test('every generated key is taken', () => {
    for (let i = 0; i < 200; i++) expect(isAgreementKey(PrivateKey.generate().getPublicKey().serialize())).toBe(true);
  });

  test.each([0, 1, 4, 6, 255])('type %d is refused', (type) => {
    const bytes = PrivateKey.generate().getPublicKey().serialize();
    bytes[0] = type;
    expect(isAgreementKey(bytes)).toBe(false);
  });
});
