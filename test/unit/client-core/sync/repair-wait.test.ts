import { limits } from '@waxwing/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { renewalDueMs, repairWaitMs } from '../../../../client-core/src/sync/repair-wait.ts';

const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('a hole is asked for again after twice as long each time, and at the latest after an hour', () => {
  fc.assert(
    fc.property(fc.nat(60), fraction, (tries, part) => {
      const wait = repairWaitMs(tries, part);
      expect(wait).toBeLessThanOrEqual(limits.repairMaxMs);
      expect(wait).toBeGreaterThanOrEqual(repairWaitMs(tries, 0));
      const next = repairWaitMs(tries + 1, part);
      expect(next >= wait * 2 - 1 || next > limits.repairMaxMs / 2).toBe(true);
    }),
  );
  expect(repairWaitMs(0, 0)).toBe(limits.repairFirstMs);
});

test('a session is set up anew soon after the first message that could not be read, then for newer ones once in an hour', () => {
  expect(renewalDueMs(1_000, null)).toBeLessThan(1_000 + limits.repairFirstMs);
  expect(renewalDueMs(1_000, 1_000)).toBeUndefined();
  expect(renewalDueMs(1_001, 1_000)).toBe(1_000 + limits.sessionRenewalMs);
  expect(renewalDueMs(1_000 + 2 * limits.sessionRenewalMs, 1_000)).toBe(1_000 + 2 * limits.sessionRenewalMs);
});
