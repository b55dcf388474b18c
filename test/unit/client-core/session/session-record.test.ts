import { limits } from '@waxwing/protocol';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  boundedSessionRecord,
  readSessionRecord,
  statesFor,
  writeSessionRecord,
} from '../../../../client-core/src/session/session-record.ts';
import { withCounter } from '../../../../bench/abuse/altered.ts';
import { Party } from './party.ts';

const SESSIONS = 12;

let alice: Party;
let bob: Party;
/** Bob's record of Alice: one current session and eleven before it, each with a chain of hers. */
let record: Uint8Array;
beforeAll(async () => {
  [alice, bob] = [new Party('alice'), new Party('bob', SESSIONS)];
  for (let index = 0; index < SESSIONS; index++) {
    await alice.start(bob, bob.bundle(index));
    await bob.read(alice, await alice.send(bob, 'x'));
    await alice.read(bob, await bob.send(alice, 'y'));
  }
  record = bob.entries.get(`session/${bob.keys('session')[0]}`)!;
});

test('a session record is its current state and those before it, and writes back to the same bytes', () => {
  const states = readSessionRecord(record);
  expect(states.current).toBeDefined();
  expect(states.previous).toHaveLength(SESSIONS - 1);
  expect(writeSessionRecord(states)).toEqual(Buffer.from(record));
  expect(() => readSessionRecord(Uint8Array.of(0xff))).toThrow();
});

test('a record over its bound loses its oldest states and keeps the current one', () => {
  const state = (fill: number) => new Uint8Array(limits.sessionMaxBytes * 0.4).fill(fill);
  const large = writeSessionRecord({ current: state(1), previous: [state(2), state(3), state(4)] });
  const bounded = boundedSessionRecord(large);
  expect(bounded.length).toBeLessThanOrEqual(limits.sessionMaxBytes);
  const { current, previous } = readSessionRecord(bounded);
  expect([current, ...previous].map((bytes) => bytes?.[0])).toEqual([1, 2]);
  expect(boundedSessionRecord(record)).toBe(record);
});

describe('a message', () => {
  const tried = (bytes: Uint8Array, counter: number) => {
    const trying = statesFor(record, { bytes, counter });
    if (!trying) return 0;
    const { current, previous } = readSessionRecord(trying.record);
    return (current ? 1 : 0) + previous.length;
  };

  test('of a chain that one state knows is tried by that state alone, up to the farthest jump', async () => {
    const next = await alice.send(bob, 'x');
    expect(await bob.read(alice, next)).toBe('x');
    record = bob.entries.get(`session/${bob.keys('session')[0]}`)!;
    expect(tried(next.ciphertext, 1)).toBe(1);
    expect(tried(next.ciphertext, limits.ratchetJumpMax)).toBe(1);
    expect(tried(next.ciphertext, limits.ratchetJumpMax + 2)).toBe(0);
    expect(tried(next.ciphertext, 2 ** 32 - 1)).toBe(0);
  });

  test('of a chain that none knows is tried by all while that costs no more steps than a message may', async () => {
    await alice.read(bob, await bob.send(alice, 'y'));
    const next = await alice.send(bob, 'x');
    const each = Math.floor(limits.ratchetStepsPerMessage / SESSIONS);
    expect(tried(next.ciphertext, each)).toBe(SESSIONS);
    expect(tried(next.ciphertext, each + 1)).toBe(0);
    expect(await bob.read(alice, withCounter(next, each + 1))).toBe('[invalid]');
    expect(await bob.read(alice, next)).toBe('x');
  });

  test('of an earlier session is read, and that session becomes the current one with the others behind it', async () => {
    const [anna, hugo] = [new Party('anna'), new Party('hugo')];
    await anna.start(hugo, hugo.bundle(0));
    await hugo.read(anna, await anna.send(hugo, 'x'));
    await anna.read(hugo, await hugo.send(anna, 'y'));
    await hugo.read(anna, await anna.send(hugo, 'chain'));
    const late = await anna.send(hugo, 'late');
    await anna.start(hugo, hugo.bundle(1));
    const newest = await anna.send(hugo, 'newest');
    expect(await hugo.read(anna, newest)).toBe('newest');
    expect(await hugo.read(anna, late)).toBe('late');
    const key = hugo.keys('session')[0]!;
    expect(readSessionRecord(hugo.entries.get(`session/${key}`)!).previous).toHaveLength(1);
    expect(await hugo.read(anna, await anna.send(hugo, 'still'))).toBe('still');
  });
});
