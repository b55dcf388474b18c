import { createHash } from 'node:crypto';
import { limits, parseEra, sha256 } from '@waxwing/protocol';
import { expect, test } from 'vitest';
import type { Store } from '../../../../client-core/src/history/store.ts';
import { judgeSeen, newestSeen, unheardOf } from '../../../../client-core/src/sync/seen.ts';
import type { EpochView } from '../../../../client-core/src/sync/sequencer.ts';

const era = parseEra(5);
const placed = [7, 8].map((number) => ({ number, hash: sha256(`${number}`) }));
/** As the protocol says: each number as 8 bytes big-endian, then its frame's hash. */
const hash = createHash('sha256');
for (const one of placed) {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(one.number));
  hash.update(number).update(one.hash);
}
const claim = { era, from: 7, to: 8, hash: hash.digest() };
const view = (to: number): EpochView => ({
  start: { era, number: 1 },
  floor: { era, number: to },
  eras: [{ era, held: [{ from: 1, to }], holes: [] }],
});

test('a claim agrees with the same frames at the same numbers, and is open until all are held', () => {
  expect(judgeSeen(claim, placed)).toBe('agrees');
  expect(judgeSeen(claim, placed.slice(1))).toBe('open');
  expect(judgeSeen(claim, [...placed.slice(0, 1), { number: 8, hash: sha256('other') }])).toBe('contradicts');
});

test('a device tells of its newest run, and of nothing where a place lacks its frame', () => {
  const store = (rows: typeof placed) =>
    ({
      coverage: { view: () => ({ ...view(8), eras: [{ era, held: [{ from: 7, to: 8 }], holes: [] }] }) },
      frames: { hashes: () => rows },
    }) as unknown as Store;
  expect(newestSeen(store(placed), 1)).toEqual(claim);
  expect(newestSeen(store(placed.slice(1)), 1)).toBeUndefined();
});

test('numbers beyond what the relay told are unheard of, within bounds', () => {
  expect(unheardOf(view(5), claim)).toEqual([{ era, from: 6, to: 8 }]);
  expect(unheardOf(view(8), claim)).toEqual([]);
  expect(unheardOf(view(8), { era: parseEra(6), to: 1 })).toEqual([]);
  expect(unheardOf(view(5), { era, to: 6 + limits.seenMaxNumbers })).toEqual([]);
});
