import { frameKinds, parseEra, parseMessageId, sha256 } from '@waxwing/protocol';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { gaps } from '../../../../client-core/src/sync/sequencer.ts';
import { at } from './frames.ts';
import { hashOf, PlacedHistory } from './placed-history.ts';

let history: PlacedHistory;
beforeEach(() => {
  history = new PlacedHistory();
});
afterEach(() => history.store.close());

const chainHoles = () =>
  history.store.coverage.chainHoles(history.epoch).map(({ fromN, toN, reason }) => [fromN, toN, reason]);

describe('placing', () => {
  test('writes back a view that reads as it was, whatever was held, shown and named', () => {
    const step = fc.record({
      what: fc.constantFrom('hold', 'hold', 'hole', 'know', 'give'),
      era: fc.integer({ min: 1, max: 3 }),
      number: fc.integer({ min: 1, max: 9 }),
      reason: fc.constantFrom('expired', 'awaiting sender', 'undecryptable', 'lost'),
    });
    fc.assert(
      fc.property(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 8 }), (batches) => {
        let n = 0;
        history.begin();
        for (const batch of batches) {
          const { placing } = history.placed((one) => {
            for (const { what, era, number, reason } of batch) {
              const met = { sequence: at(era, number) };
              if (what === 'hold') {
                n += 1;
                one.place({
                  epoch: history.epoch,
                  party: history.parties[0] ?? 0,
                  n,
                  hash: hashOf(1, n),
                  ciphertextHash: null,
                  met,
                });
              } else if (what === 'know') one.know(history.epoch, met);
              else if (what === 'hole') one.hole(history.epoch, met, 'undecryptable');
              else one.give(history.epoch, gaps(one.view(history.epoch)).slice(0, 1), reason);
            }
          });
          expect(history.store.coverage.view(history.epoch)).toEqual(placing.view(history.epoch));
          for (const { era, from, to } of history.store.coverage.holes(history.epoch)) {
            const row = placing.view(history.epoch).eras.find((other) => other.era === era);
            expect(row?.holes.some((hole) => hole.from <= from && to <= hole.to)).toBe(true);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test('shows messages in order as soon as nothing before them is missing, each once', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([2, 3, 4, 5, 6, 7], { minLength: 6 }), (order) => {
        history.begin();
        history.placed((one) => history.put(one, { n: 1, met: { sequence: at(1, 1) } }));
        const held = new Set([1]);
        for (const number of order) {
          history.placed((one) => history.put(one, { n: number, met: { sequence: at(1, number) } }));
          held.add(number);
          let run = 0;
          while (held.has(run + 1)) run += 1;
          expect(history.texts()).toEqual(
            Array.from({ length: run }, (_, index) => `${history.parties[0] ?? 0}:${index + 1}`),
          );
        }
      }),
      { numRuns: 25 },
    );
  });

  test('takes the same frame at the same place again as a repeat that changes nothing', () => {
    history.placed((one) => history.put(one, { n: 1, met: { sequence: at(1, 1) } }));
    const { result, placing } = history.placed((one) => history.put(one, { n: 1, met: { sequence: at(1, 1) } }));
    expect(result).toBe('repeat');
    expect(placing.released).toBe(false);
    expect(history.texts()).toHaveLength(1);
  });

  test('refuses another frame at a place, and another frame under an n', () => {
    history.placed((one) => history.put(one, { n: 1, met: { sequence: at(1, 1) } }));
    const { result } = history.placed((one) => [
      history.put(one, { n: 2, met: { sequence: at(1, 1) } }),
      history.put(one, { n: 1, party: 1, met: { sequence: at(1, 1) } }),
      history.put(one, { n: 1, met: { sequence: at(1, 2) }, variant: 'forged' }),
    ]);
    expect(result).toEqual(['contradiction', 'contradiction', 'contradiction']);
    expect(history.texts()).toHaveLength(1);
    expect(history.store.coverage.view(history.epoch).eras[0]?.held).toEqual([{ from: 1, to: 1 }]);
  });
});

test('of claims that come together each is compared', () => {
  history.placed((one) => history.put(one, { n: 1, met: { sequence: at(1, 1) } }));
  const number = Buffer.from([0, 0, 0, 0, 0, 0, 0, 1]);
  const agrees = { era: parseEra(1), from: 1, to: 1, hash: sha256(number, hashOf(history.parties[0] ?? 0, 1)) };
  const alarmsAt = (...seen: readonly (typeof agrees)[]) =>
    history.placed((one) => {
      for (const claim of seen) one.witness.claimsSeen(history.epoch, history.parties[1] ?? 0, claim, at(1, 1));
    }).placing.alarms;
  expect(alarmsAt(agrees, agrees)).toEqual([]);
  expect(alarmsAt(agrees, { ...agrees, hash: sha256('other') })).toHaveLength(1);
});

test('a frame of a later era fills no hole of an earlier one but right behind the frame before it', () => {
  const laterFirst = (): void => {
    history.placed((one) => {
      history.put(one, { n: 1, met: { sequence: at(1, 1) } });
      history.put(one, { n: 1, party: 1, met: { sequence: at(1, 4) } });
      one.give(history.epoch, gaps(one.view(history.epoch)), 'awaiting sender');
    });
  };
  laterFirst();
  history.placed((one) => history.put(one, { n: 3, met: { sequence: at(5, 1), predecessor: at(1, 4) } }));
  const { result } = history.placed((one) => history.put(one, { n: 3, met: { sequence: at(1, 2) } }));
  expect(result).toBe('repeat');
  expect(history.store.coverage.holes(history.epoch)).toMatchObject([{ era: 1, from: 2, to: 3 }]);
  history.begin();
  laterFirst();
  history.placed((one) => history.put(one, { n: 2, met: { sequence: at(5, 1), predecessor: at(1, 4) } }));
  history.placed((one) => history.put(one, { n: 2, met: { sequence: at(1, 2) } }));
  expect(history.store.coverage.holes(history.epoch)).toMatchObject([{ era: 1, from: 3, to: 3 }]);
});

describe('frames of a device that no missing number can be', () => {
  test('are a hole without numbers before the frame that revealed them, and it shrinks as they come', () => {
    history.placed((one) => history.put(one, { n: 1, met: { sequence: at(1, 1) } }));
    const { placing } = history.placed((one) => history.put(one, { n: 5, met: { sequence: at(1, 2) } }));
    expect(chainHoles()).toEqual([[2, 4, 'lost']]);
    expect(placing.opened).toMatchObject([{ count: 3, reason: 'lost' }]);
    const filled = history.placed((one) => history.put(one, { n: 3, met: { sequence: at(1, 3) } }));
    expect([...filled.placing.filled]).toEqual([history.conversation]);
    expect(chainHoles()).toEqual([
      [2, 2, 'lost'],
      [4, 4, 'lost'],
    ]);
    history.placed((one) => [
      history.put(one, { n: 2, met: { sequence: at(1, 4) } }),
      history.put(one, { n: 4, met: { sequence: at(1, 5) } }),
    ]);
    expect(chainHoles()).toEqual([]);
  });

  test('are none while a gap or a hole between may be them', () => {
    history.placed((one) => history.put(one, { n: 1, met: { sequence: at(1, 1) } }));
    history.placed((one) => history.put(one, { n: 3, met: { sequence: at(1, 3) } }));
    expect(chainHoles()).toEqual([]);
  });

  describe('while a gap may be an own submit without an outcome, are in flight', () => {
    const begun = () => {
      history.store.transaction(() => {
        const id = parseMessageId('01890000-0000-7000-8000-0000000000ff');
        history.store.outbox.queue(history.conversation, id, Uint8Array.of(1), 0);
        const [row] = history.store.outbox.queued(history.conversation, 1);
        const attempt = { attempt: 0, kind: frameKinds.content, frame: Uint8Array.of(1), body: Uint8Array.of(1) };
        if (row) history.store.outbox.frame(row.id, history.epoch, 1, attempt);
      });
      history.placed((one) => history.put(one, { n: 1, met: { sequence: at(1, 1) } }));
      const { placing } = history.placed((one) => history.put(one, { n: 3, met: { sequence: at(1, 3) } }));
      expect(chainHoles()).toEqual([[2, 2, 'in flight']]);
      expect(placing.opened).toEqual([]);
    };
    const answered = (): void => {
      for (const { id } of history.store.outbox.framedIn(history.epoch)) history.store.outbox.remove(id);
    };

    test('and lost when its number turns out to be the own one', () => {
      begun();
      const { placing } = history.placed((one) => {
        history.put(one, { n: 1, party: 1, met: { sequence: at(1, 2) }, own: true });
        answered();
      });
      expect(chainHoles()).toEqual([[2, 2, 'lost']]);
      expect(placing.opened).toMatchObject([{ count: 1, reason: 'lost' }]);
    });

    test('and none when the own one has another number: the gap is theirs', () => {
      begun();
      history.placed((one) => {
        history.put(one, { n: 1, party: 1, met: { sequence: at(1, 4) }, own: true });
        answered();
      });
      expect(chainHoles()).toEqual([]);
      expect(gaps(history.store.coverage.view(history.epoch))).toMatchObject([{ from: 2, to: 2 }]);
    });

    test('and filled when the frame comes', () => {
      begun();
      history.placed((one) => history.put(one, { n: 2, met: { sequence: at(1, 2) } }));
      expect(chainHoles()).toEqual([]);
    });
  });

  test('are not explained by holes of an era before the last frame of that device', () => {
    history.placed((one) => {
      history.put(one, { n: 1, party: 1, met: { sequence: at(1, 1) } });
      history.put(one, { n: 2, party: 1, met: { sequence: at(1, 9) } });
      one.give(history.epoch, gaps(one.view(history.epoch)), 'expired');
    });
    history.placed((one) => history.put(one, { n: 1, met: { sequence: at(2, 1), predecessor: at(1, 9) } }));
    history.placed((one) => history.put(one, { n: 4, met: { sequence: at(2, 2), predecessor: at(1, 9) } }));
    expect(chainHoles()).toContainEqual([2, 3, 'lost']);
  });

  test('are a hole also where the first that was ever seen of the device was a later one', () => {
    history.placed((one) => history.put(one, { n: 9, met: { sequence: at(2, 1) } }));
    expect(chainHoles()).toEqual([]);
    history.placed((one) => {
      history.put(one, { n: 1, met: { sequence: at(1, 1) } });
      history.put(one, { n: 2, met: { sequence: at(1, 2) } });
    });
    expect(chainHoles()).toEqual([[3, 8, 'lost']]);
    history.placed((one) => history.put(one, { n: 4, met: { sequence: at(1, 3) } }));
    expect(chainHoles()).toEqual([
      [3, 3, 'lost'],
      [5, 8, 'lost'],
    ]);
  });

  test('are not told of the first frame that is ever seen of a device', () => {
    history.placed((one) => history.put(one, { n: 7, met: { sequence: at(1, 1) } }));
    expect(chainHoles()).toEqual([]);
  });
});

describe('a hole', () => {
  test('of many numbers is one, with its reason, and splits where one comes', () => {
    history.placed((one) => {
      history.put(one, { n: 1, met: { sequence: at(1, 1) } });
      one.know(history.epoch, { sequence: at(1, 1_000_000_000) });
      one.give(history.epoch, gaps(one.view(history.epoch)), 'expired');
    });
    expect(history.store.coverage.holes(history.epoch)).toEqual([
      { era: 1, from: 2, to: 1_000_000_000, reason: 'expired' },
    ]);
    const { placing } = history.placed((one) => history.put(one, { n: 2, met: { sequence: at(1, 500) } }));
    expect([...placing.filled]).toEqual([history.conversation]);
    expect(history.store.coverage.holes(history.epoch)).toEqual([
      { era: 1, from: 2, to: 499, reason: 'expired' },
      { era: 1, from: 501, to: 1_000_000_000, reason: 'expired' },
    ]);
  });

  test('in a hole keeps its own reason, and is told once', () => {
    history.placed((one) => {
      history.put(one, { n: 1, met: { sequence: at(1, 1) } });
      one.know(history.epoch, { sequence: at(1, 5) });
      one.give(history.epoch, gaps(one.view(history.epoch)), 'awaiting sender');
    });
    const first = history.placed((one) => one.hole(history.epoch, { sequence: at(1, 3) }, 'unlisted device'));
    const second = history.placed((one) => one.hole(history.epoch, { sequence: at(1, 3) }, 'undecryptable'));
    expect([...first.placing.opened, ...second.placing.opened]).toEqual([]);
    expect(history.store.coverage.holes(history.epoch).map(({ from, to, reason }) => [from, to, reason])).toEqual([
      [2, 2, 'awaiting sender'],
      [3, 3, 'undecryptable'],
      [4, 5, 'awaiting sender'],
    ]);
  });

  test('is none where the number is held', () => {
    history.placed((one) => history.put(one, { n: 1, met: { sequence: at(1, 1) } }));
    const { placing } = history.placed((one) => one.hole(history.epoch, { sequence: at(1, 1) }, 'refused'));
    expect(placing.opened).toEqual([]);
    expect(history.store.coverage.holes(history.epoch)).toEqual([]);
  });

  test('that was given up and filled in one commit is none afterwards', () => {
    history.placed((one) => {
      history.put(one, { n: 1, met: { sequence: at(1, 1) } });
      history.put(one, { n: 3, met: { sequence: at(1, 3) } });
      one.give(history.epoch, gaps(one.view(history.epoch)), 'lost');
      history.put(one, { n: 2, met: { sequence: at(1, 2) } });
    });
    expect(history.store.coverage.holes(history.epoch)).toEqual([]);
    expect(history.texts()).toHaveLength(3);
  });
});
