import { limits } from '@waxwing/protocol';
import { expect, test } from 'vitest';
import { AskerLimit } from '../../../../client-core/src/sync/asker-limit.ts';

test('each asker gets so many frames in a minute, also after the clock was set back', () => {
  const limit = new AskerLimit();
  limit.take('a', limits.repairFramesPerAskerPerMinute - 1, 100_000);
  expect(limit.left('a', 159_999)).toBe(1);
  expect(limit.left('b', 159_999)).toBe(limits.repairFramesPerAskerPerMinute);
  expect(limit.left('a', 160_000)).toBe(limits.repairFramesPerAskerPerMinute);
  limit.take('a', limits.repairFramesPerAskerPerMinute + 5, 160_000);
  expect(limit.left('a', 160_000)).toBe(0);
  expect(limit.left('a', 1)).toBe(limits.repairFramesPerAskerPerMinute);
});

test('who asked is remembered for so many at a time, the last to come', () => {
  const limit = new AskerLimit();
  for (let asker = 0; asker <= limits.repairAskersMax; asker += 1) limit.take(`${asker}`, 1, 1_000);
  expect(limit.left(`${limits.repairAskersMax}`, 1_000)).toBe(limits.repairFramesPerAskerPerMinute - 1);
  expect(limit.left('0', 1_000)).toBe(limits.repairFramesPerAskerPerMinute);
});
