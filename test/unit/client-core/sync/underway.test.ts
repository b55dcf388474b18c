import { limits } from '@waxwing/protocol';
import { beforeEach, expect, test } from 'vitest';
import type { SyncContext } from '../../../../client-core/src/sync/context.ts';
import { Underway } from '../../../../client-core/src/sync/underway.ts';
import { createManualRuntime, type ManualRuntime } from '../../../kit/src/manual-runtime.ts';

let runtime: ManualRuntime;
let underway: Underway;
let woken: number;
const [one, two] = [
  { id: 1, attempt: 0 },
  { id: 2, attempt: 3 },
];

beforeEach(() => {
  woken = 0;
  runtime = createManualRuntime();
  underway = new Underway({ ...runtime } as unknown as SyncContext, () => (woken += 1));
});

test('a row that waits for a time goes after it, whatever else is answered; one that waits for an answer, after that', () => {
  underway.wait(one, 10_000);
  underway.wait(two);
  underway.endWaits();
  expect([underway.has(1), underway.has(2)]).toEqual([true, false]);
  runtime.advance(9_999);
  expect([underway.isAt(1, 0), woken]).toEqual([true, 0]);
  runtime.advance(5_001);
  expect([underway.has(1), woken]).toEqual([false, 1]);
});

test('a row that waits for long holds no other up', () => {
  underway.wait(one, 60_000);
  underway.wait(two, 1_000);
  runtime.advance(1_500);
  expect([underway.has(1), underway.has(2), woken]).toEqual([true, false, 1]);
});

test('nobody is made to wait for more than an hour and a half', () => {
  underway.wait(one, 2 ** 32 - 1);
  underway.wakeAfter(2 ** 50);
  runtime.advance(limits.retryAfterMaxMs - 1);
  expect(woken).toBe(0);
  runtime.advance(limits.retryAfterMaxMs / 2 + 1);
  expect([underway.has(1), woken]).toEqual([false, 2]);
});

test('of two times to wake at, the earlier counts', () => {
  underway.wakeAfter(60_000);
  underway.wakeAfter(1_000);
  underway.wakeAfter(60_000);
  runtime.advance(1_500);
  expect(woken).toBe(1);
  runtime.advance(200_000);
  expect(woken).toBe(1);
});

test('nothing wakes after the end, and nothing waits at a new connection', () => {
  underway.wait(one, 1_000);
  underway.clear();
  expect(underway.has(1)).toBe(false);
  underway.wakeAfter(1_000);
  underway.stop();
  underway.wait(one, 1_000);
  underway.wakeAfter(1_000);
  runtime.advance(10_000);
  expect(woken).toBe(0);
});

test('an outcome that cannot be is asked for again a few times, each after a while', () => {
  const asked = Array.from({ length: 30 }, () => underway.askAgain(one));
  expect(asked.indexOf(false)).toBe(29);
  expect(underway.askAgain(two)).toBe(true);
  expect(underway.has(2)).toBe(true);
  runtime.advance(1_500);
  expect(underway.has(2)).toBe(false);
});
