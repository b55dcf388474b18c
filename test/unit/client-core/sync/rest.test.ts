import { expect, test } from 'vitest';
import { Rest } from '../../../../client-core/src/sync/rest.ts';

test('ends after its time, by word, or with a clock that is set back', () => {
  let nowMs = 1_000_000;
  const rest = new Rest({ now: () => nowMs });
  expect(rest.leftMs()).toBe(0);
  rest.begin(60_000);
  expect(rest.leftMs()).toBe(60_000);
  nowMs += 59_999;
  expect(rest.leftMs()).toBe(1);
  nowMs += 1;
  expect(rest.leftMs()).toBe(0);
  rest.begin(60_000);
  nowMs -= 1;
  expect(rest.leftMs()).toBe(0);
  rest.begin(60_000);
  rest.end();
  expect(rest.leftMs()).toBe(0);
});
