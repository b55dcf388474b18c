import { limits } from '@waxwing/protocol';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Met } from '../../../../client-core/src/sync/sequencer.ts';
import { at } from './frames.ts';
import { PlacedHistory } from './placed-history.ts';

let history: PlacedHistory;
let a: string;
let b: string;
beforeEach(() => {
  history = new PlacedHistory();
  [a, b] = [`${history.parties[0] ?? 0}:1`, `${history.parties[1] ?? 0}:1`];
});
afterEach(() => history.store.close());

const standsAt = () => history.store.frames.frame(history.epoch, history.parties[0] ?? 0, 1)?.stands;

/** Two messages; the first was given a later place too, where the store had forgotten them. */
function forgotten(): void {
  history.putOne({ n: 1, met: { sequence: at(1, 1) } });
  history.putOne({ n: 1, party: 1, met: { sequence: at(1, 2) } });
  history.putOne({ n: 1, met: { sequence: at(5, 1) } });
}

describe('a message with two places', () => {
  test('stands at the later where the relay forgot the earlier, and stays where it did not', () => {
    forgotten();
    expect(history.texts()).toEqual([b, a]);
    history.putOne({ n: 1, party: 1, met: { sequence: at(5, 2) } });
    expect(history.texts()).toEqual([a, b]);
    expect(history.putOne({ n: 1, met: { sequence: at(9, 1), predecessor: at(5, 2) } }).result).toBe('repeat');
    expect(history.texts()).toEqual([a, b]);
  });

  test('moves back when a newer era counts on from the earlier place alone', () => {
    forgotten();
    history.putOne({ n: 2, met: { sequence: at(9, 1), predecessor: at(1, 2) } });
    expect(history.texts()).toEqual([a, b, `${history.parties[0] ?? 0}:2`]);
    expect(standsAt()).toEqual(at(1, 1));
  });

  test('moves back also when the era of its later place says late what it counts on from', () => {
    forgotten();
    history.placed((one) => one.know(history.epoch, { sequence: at(5, 1), predecessor: at(1, 2) }));
    expect(history.texts()).toEqual([a, b]);
  });

  test('stands where the eras say, however they are told: one after the other, or at once', () => {
    const eras = fc.array(fc.record({ of: fc.nat({ max: 9 }), number: fc.integer({ min: 1, max: 3 }) }), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(eras, (named) => {
        const mets: Met[] = named.map(({ of, number }, index) => {
          const predecessor = [at(1, number), at(5, number), ...named.slice(0, index).map((_, era) => at(10 + era, 1))];
          const before = predecessor[of % (predecessor.length + 1)];
          return { sequence: at(10 + index, 1), ...(before && { predecessor: before }) };
        });
        const stands = (batches: readonly (readonly Met[])[]) => {
          history.begin();
          forgotten();
          for (const batch of batches)
            history.placed((one) => {
              for (const met of batch) one.know(history.epoch, met);
            });
          return standsAt();
        };
        expect(stands(mets.map((met) => [met]))).toEqual(stands([mets]));
      }),
      { numRuns: 60 },
    );
  });
});

describe('a number at which the relay gave an earlier message again', () => {
  test('is taken by what is new there, with an alarm', () => {
    history.putOne({ n: 1, met: { sequence: at(1, 1) } });
    history.putOne({ n: 1, met: { sequence: at(1, 2) } });
    const { result, placing } = history.putOne({ n: 1, party: 1, met: { sequence: at(1, 2) } });
    expect(result).toBe('placed');
    expect(placing.alarms).toMatchObject([{ what: 'two frames under one number', at: { sequence: at(1, 2) } }]);
    expect(history.texts()).toEqual([a, b]);
    expect(history.store.frames.place(history.epoch, at(1, 2))).toEqual({ party: history.parties[1], n: 1 });
    expect(history.putOne({ n: 1, met: { sequence: at(1, 2) } }).result).toBe('contradiction');
  });

  test('says nothing of the order of its device: the next one there is in order', () => {
    history.putOne({ n: 1, met: { sequence: at(1, 1) } });
    expect(history.putOne({ n: 1, met: { sequence: at(1, 3) } }).placing.alarms).toHaveLength(1);
    expect(history.putOne({ n: 2, met: { sequence: at(1, 2) } }).placing.alarms).toEqual([]);
  });

  test('is kept as one of at most so many, and then is an alarm that is held and no more', () => {
    history.putOne({ n: 1, met: { sequence: at(1, 1) } });
    history.placed((one) => {
      for (let era = 2; era < 2 + limits.placesAgainPerEpoch; era += 1)
        history.put(one, { n: 1, met: { sequence: at(era, 1), predecessor: at(1, 1) } });
    });
    const last = at(2 + limits.placesAgainPerEpoch, 1);
    const { result, placing } = history.putOne({ n: 1, met: { sequence: last, predecessor: at(1, 1) } });
    expect(result).toBe('repeat');
    expect(placing.alarms).toMatchObject([{ what: 'too much was given again' }]);
    expect(history.store.frames.place(history.epoch, last)).toBeUndefined();
    expect(placing.view(history.epoch).eras.at(-1)?.held).toEqual([{ from: 1, to: 1 }]);
    expect(standsAt()).toEqual(at(1, 1));
  });
});
