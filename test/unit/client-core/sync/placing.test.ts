import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  frameKinds,
  parseAccountId,
  parseDeviceId,
  parseEra,
  parseHandle,
  parseMessageId,
  sha256,
  type Sequence,
} from '@waxwing/protocol';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStore, type Store } from '../../../../client-core/src/history/store.ts';
import { Placing, type Placed } from '../../../../client-core/src/sync/placing.ts';
import { gaps, type Met } from '../../../../client-core/src/sync/sequencer.ts';

let store: Store;
let begun = 0;
let conversation: number;
let epoch: number;
let parties: number[];

beforeEach(() => {
  const path = join(mkdtempSync(join(tmpdir(), 'waxwing-placing-')), 'device.db');
  store = openStore(path, new Uint8Array(32).fill(1), { create: true });
  begin();
});
afterEach(() => store.close());

/** A conversation with nothing in it. */
function begin(): void {
  begun += 1;
  const account = parseAccountId(`00000000-0000-4000-8000-${begun.toString().padStart(12, '0')}`);
  store.transaction(() => {
    conversation = store.conversations.ensureDirect(account, 0).id;
    const handle = parseHandle(Buffer.from(sha256(account)).toString('base64url'));
    epoch = store.conversations.ensureEpoch(conversation, 2, handle).id;
    parties = [1, 2].map((device) => store.parties.ensure({ account, device: parseDeviceId(device) }, 1));
  });
}

const at = (era: number, number: number): Sequence => ({ era: parseEra(era), number });
const hashOf = (party: number, n: number, variant = ''): Uint8Array => sha256(`${party}/${n}/${variant}`);

/** One transaction over a placing. */
function placed<T>(work: (placing: Placing) => T): { result: T; placing: Placing } {
  return store.transaction(() => {
    const placing = new Placing(store, 1_000);
    const result = work(placing);
    placing.finish();
    return { result, placing };
  });
}

function put(placing: Placing, o: { n: number; met: Met; party?: number; variant?: string; own?: boolean }): Placed {
  const party = parties[o.party ?? 0] ?? 0;
  const id = (party * 1_000 + o.n).toString(16).padStart(12, '0');
  return placing.place({
    epoch,
    party,
    n: o.n,
    hash: hashOf(party, o.n, o.variant),
    ciphertextHash: sha256(`cipher ${party}/${o.n}`),
    met: o.met,
    message: {
      conversation,
      messageId: parseMessageId(`01890000-0000-7000-8000-${id}`),
      party,
      own: o.own ?? false,
      epoch,
      sequence: o.met.sequence,
      n: o.n,
      kind: frameKinds.content,
      text: `${party}:${o.n}`,
      replyTo: null,
      serverTimeMs: 1_000,
      sentAtMs: 0,
    },
  });
}

const texts = (): (string | null)[] =>
  store.messages
    .pageBefore(conversation, undefined, 1_000)
    .reverse()
    .map(({ text }) => text);

const chainHoles = () => store.coverage.chainHoles(epoch).map(({ fromN, toN, reason }) => [fromN, toN, reason]);

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
        begin();
        for (const batch of batches) {
          const { placing } = placed((one) => {
            for (const { what, era, number, reason } of batch) {
              const met = { sequence: at(era, number) };
              if (what === 'hold') {
                n += 1;
                one.place({ epoch, party: parties[0] ?? 0, n, hash: hashOf(1, n), ciphertextHash: null, met });
              } else if (what === 'know') one.know(epoch, met);
              else if (what === 'hole') one.hole(epoch, met, 'undecryptable');
              else one.give(epoch, gaps(one.view(epoch)).slice(0, 1), reason);
            }
          });
          expect(store.coverage.view(epoch)).toEqual(placing.view(epoch));
          for (const { era, from, to } of store.coverage.holes(epoch)) {
            const row = placing.view(epoch).eras.find((other) => other.era === era);
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
        begin();
        placed((one) => put(one, { n: 1, met: { sequence: at(1, 1) } }));
        const held = new Set([1]);
        for (const number of order) {
          placed((one) => put(one, { n: number, met: { sequence: at(1, number) } }));
          held.add(number);
          let run = 0;
          while (held.has(run + 1)) run += 1;
          expect(texts()).toEqual(Array.from({ length: run }, (_, index) => `${parties[0] ?? 0}:${index + 1}`));
        }
      }),
      { numRuns: 25 },
    );
  });

  test('takes the same frame at the same place again as a repeat that changes nothing', () => {
    placed((one) => put(one, { n: 1, met: { sequence: at(1, 1) } }));
    const { result, placing } = placed((one) => put(one, { n: 1, met: { sequence: at(1, 1) } }));
    expect(result).toBe('repeat');
    expect(placing.released).toBe(false);
    expect(texts()).toHaveLength(1);
  });

  test('refuses another frame at a place, and another frame under an n', () => {
    placed((one) => put(one, { n: 1, met: { sequence: at(1, 1) } }));
    const { result } = placed((one) => [
      put(one, { n: 2, met: { sequence: at(1, 1) } }),
      put(one, { n: 1, party: 1, met: { sequence: at(1, 1) } }),
      put(one, { n: 1, met: { sequence: at(1, 2) }, variant: 'forged' }),
    ]);
    expect(result).toEqual(['contradiction', 'contradiction', 'contradiction']);
    expect(texts()).toHaveLength(1);
    expect(store.coverage.view(epoch).eras[0]?.held).toEqual([{ from: 1, to: 1 }]);
  });

  test('moves a message to a later place where the relay forgot the earlier, and leaves it where it did not', () => {
    placed((one) => {
      put(one, { n: 1, met: { sequence: at(1, 1) } });
      put(one, { n: 1, party: 1, met: { sequence: at(1, 2) } });
    });
    const forgot = placed((one) => put(one, { n: 1, met: { sequence: at(5, 1) } }));
    expect(forgot.result).toBe('repeat');
    const [a, b] = parties;
    expect(texts()).toEqual([`${b ?? 0}:1`, `${a ?? 0}:1`]);
    placed((one) => put(one, { n: 1, party: 1, met: { sequence: at(5, 2) } }));
    expect(texts()).toEqual([`${a ?? 0}:1`, `${b ?? 0}:1`]);
    const known = placed((one) => put(one, { n: 1, met: { sequence: at(9, 1), predecessor: at(5, 2) } }));
    expect(known.result).toBe('repeat');
    expect(texts()).toEqual([`${a ?? 0}:1`, `${b ?? 0}:1`]);
  });

  test('moves a message back when a newer era counts on from the earlier place alone, and waits there for what is missing', () => {
    placed((one) => {
      put(one, { n: 1, met: { sequence: at(1, 1) } });
      put(one, { n: 1, party: 1, met: { sequence: at(1, 2) } });
    });
    placed((one) => put(one, { n: 1, met: { sequence: at(5, 1) } }));
    const [a, b] = parties;
    expect(texts()).toEqual([`${b ?? 0}:1`, `${a ?? 0}:1`]);
    placed((one) => put(one, { n: 2, met: { sequence: at(9, 1), predecessor: at(1, 2) } }));
    expect(texts()).toEqual([`${a ?? 0}:1`, `${b ?? 0}:1`, `${a ?? 0}:2`]);
    expect(store.frames.frame(epoch, a ?? 0, 1)?.stands).toEqual(at(1, 1));
  });

  test('moves a message back also when the era of its later place says late what it counts on from', () => {
    placed((one) => {
      put(one, { n: 1, met: { sequence: at(1, 1) } });
      put(one, { n: 1, party: 1, met: { sequence: at(1, 2) } });
    });
    placed((one) => put(one, { n: 1, met: { sequence: at(5, 1) } }));
    placed((one) => one.know(epoch, { sequence: at(5, 1), predecessor: at(1, 2) }));
    const [a, b] = parties;
    expect(texts()).toEqual([`${a ?? 0}:1`, `${b ?? 0}:1`]);
  });

  test('gives a place where what came before was given again to what is new there, with an alarm', () => {
    placed((one) => put(one, { n: 1, met: { sequence: at(1, 1) } }));
    placed((one) => put(one, { n: 1, met: { sequence: at(1, 2) } }));
    const { result, placing } = placed((one) => put(one, { n: 1, party: 1, met: { sequence: at(1, 2) } }));
    const [a, b] = parties;
    expect(result).toBe('placed');
    expect(placing.alarms).toMatchObject([{ what: 'two frames under one number', at: { sequence: at(1, 2) } }]);
    expect(texts()).toEqual([`${a ?? 0}:1`, `${b ?? 0}:1`]);
    expect(store.frames.place(epoch, at(1, 2))).toEqual({ party: b, n: 1 });
    const again = placed((one) => put(one, { n: 1, met: { sequence: at(1, 2) } }));
    expect(again.result).toBe('contradiction');
  });
});

test('of claims that come together each is compared', () => {
  placed((one) => put(one, { n: 1, met: { sequence: at(1, 1) } }));
  const number = Buffer.from([0, 0, 0, 0, 0, 0, 0, 1]);
  const agrees = { era: parseEra(1), from: 1, to: 1, hash: sha256(number, hashOf(parties[0] ?? 0, 1)) };
  const alarmsAt = (...seen: readonly (typeof agrees)[]) =>
    placed((one) => {
      for (const claim of seen) one.witness.claimsSeen(epoch, parties[1] ?? 0, claim, at(1, 1));
    }).placing.alarms;
  expect(alarmsAt(agrees, agrees)).toEqual([]);
  expect(alarmsAt(agrees, { ...agrees, hash: sha256('other') })).toHaveLength(1);
});

test('a frame of a later era fills no hole of an earlier one but right behind the frame before it', () => {
  const laterFirst = (): void => {
    placed((one) => {
      put(one, { n: 1, met: { sequence: at(1, 1) } });
      put(one, { n: 1, party: 1, met: { sequence: at(1, 4) } });
      one.give(epoch, gaps(one.view(epoch)), 'awaiting sender');
    });
  };
  laterFirst();
  placed((one) => put(one, { n: 3, met: { sequence: at(5, 1), predecessor: at(1, 4) } }));
  const { result } = placed((one) => put(one, { n: 3, met: { sequence: at(1, 2) } }));
  expect(result).toBe('repeat');
  expect(store.coverage.holes(epoch)).toMatchObject([{ era: 1, from: 2, to: 3 }]);
  begin();
  laterFirst();
  placed((one) => put(one, { n: 2, met: { sequence: at(5, 1), predecessor: at(1, 4) } }));
  placed((one) => put(one, { n: 2, met: { sequence: at(1, 2) } }));
  expect(store.coverage.holes(epoch)).toMatchObject([{ era: 1, from: 3, to: 3 }]);
});

describe('frames of a device that no missing number can be', () => {
  test('are a hole without numbers before the frame that revealed them, and it shrinks as they come', () => {
    placed((one) => put(one, { n: 1, met: { sequence: at(1, 1) } }));
    const { placing } = placed((one) => put(one, { n: 5, met: { sequence: at(1, 2) } }));
    expect(chainHoles()).toEqual([[2, 4, 'lost']]);
    expect(placing.opened).toMatchObject([{ count: 3, reason: 'lost' }]);
    const filled = placed((one) => put(one, { n: 3, met: { sequence: at(1, 3) } }));
    expect([...filled.placing.filled]).toEqual([conversation]);
    expect(chainHoles()).toEqual([
      [2, 2, 'lost'],
      [4, 4, 'lost'],
    ]);
    placed((one) => [put(one, { n: 2, met: { sequence: at(1, 4) } }), put(one, { n: 4, met: { sequence: at(1, 5) } })]);
    expect(chainHoles()).toEqual([]);
  });

  test('are none while a gap or a hole between may be them', () => {
    placed((one) => put(one, { n: 1, met: { sequence: at(1, 1) } }));
    placed((one) => put(one, { n: 3, met: { sequence: at(1, 3) } }));
    expect(chainHoles()).toEqual([]);
  });

  describe('while a gap may be an own submit without an outcome, are in flight', () => {
    const begun = () => {
      store.transaction(() => {
        const id = parseMessageId('01890000-0000-7000-8000-0000000000ff');
        store.outbox.queue(conversation, id, Uint8Array.of(1), 0);
        const [row] = store.outbox.queued(conversation, 1);
        const attempt = { attempt: 0, kind: frameKinds.content, frame: Uint8Array.of(1), body: Uint8Array.of(1) };
        if (row) store.outbox.frame(row.id, epoch, 1, attempt);
      });
      placed((one) => put(one, { n: 1, met: { sequence: at(1, 1) } }));
      const { placing } = placed((one) => put(one, { n: 3, met: { sequence: at(1, 3) } }));
      expect(chainHoles()).toEqual([[2, 2, 'in flight']]);
      expect(placing.opened).toEqual([]);
    };
    const answered = (): void => {
      for (const { id } of store.outbox.framedIn(epoch)) store.outbox.remove(id);
    };

    test('and lost when its number turns out to be the own one', () => {
      begun();
      const { placing } = placed((one) => {
        put(one, { n: 1, party: 1, met: { sequence: at(1, 2) }, own: true });
        answered();
      });
      expect(chainHoles()).toEqual([[2, 2, 'lost']]);
      expect(placing.opened).toMatchObject([{ count: 1, reason: 'lost' }]);
    });

    test('and none when the own one has another number: the gap is theirs', () => {
      begun();
      placed((one) => {
        put(one, { n: 1, party: 1, met: { sequence: at(1, 4) }, own: true });
        answered();
      });
      expect(chainHoles()).toEqual([]);
      expect(gaps(store.coverage.view(epoch))).toMatchObject([{ from: 2, to: 2 }]);
    });

    test('and filled when the frame comes', () => {
      begun();
      placed((one) => put(one, { n: 2, met: { sequence: at(1, 2) } }));
      expect(chainHoles()).toEqual([]);
    });
  });

  test('are not explained by holes of an era before the last frame of that device', () => {
    placed((one) => {
      put(one, { n: 1, party: 1, met: { sequence: at(1, 1) } });
      put(one, { n: 2, party: 1, met: { sequence: at(1, 9) } });
      one.give(epoch, gaps(one.view(epoch)), 'expired');
    });
    placed((one) => put(one, { n: 1, met: { sequence: at(2, 1), predecessor: at(1, 9) } }));
    placed((one) => put(one, { n: 4, met: { sequence: at(2, 2), predecessor: at(1, 9) } }));
    expect(chainHoles()).toContainEqual([2, 3, 'lost']);
  });

  test('are a hole also where the first that was ever seen of the device was a later one', () => {
    placed((one) => put(one, { n: 9, met: { sequence: at(2, 1) } }));
    expect(chainHoles()).toEqual([]);
    placed((one) => {
      put(one, { n: 1, met: { sequence: at(1, 1) } });
      put(one, { n: 2, met: { sequence: at(1, 2) } });
    });
    expect(chainHoles()).toEqual([[3, 8, 'lost']]);
    placed((one) => put(one, { n: 4, met: { sequence: at(1, 3) } }));
    expect(chainHoles()).toEqual([
      [3, 3, 'lost'],
      [5, 8, 'lost'],
    ]);
  });

  test('are not told of the first frame that is ever seen of a device', () => {
    placed((one) => put(one, { n: 7, met: { sequence: at(1, 1) } }));
    expect(chainHoles()).toEqual([]);
  });
});

describe('a hole', () => {
  test('of many numbers is one, with its reason, and splits where one comes', () => {
    placed((one) => {
      put(one, { n: 1, met: { sequence: at(1, 1) } });
      one.know(epoch, { sequence: at(1, 1_000_000_000) });
      one.give(epoch, gaps(one.view(epoch)), 'expired');
    });
    expect(store.coverage.holes(epoch)).toEqual([{ era: 1, from: 2, to: 1_000_000_000, reason: 'expired' }]);
    const { placing } = placed((one) => put(one, { n: 2, met: { sequence: at(1, 500) } }));
    expect([...placing.filled]).toEqual([conversation]);
    expect(store.coverage.holes(epoch)).toEqual([
      { era: 1, from: 2, to: 499, reason: 'expired' },
      { era: 1, from: 501, to: 1_000_000_000, reason: 'expired' },
    ]);
  });

  test('in a hole keeps its own reason, and is told once', () => {
    placed((one) => {
      put(one, { n: 1, met: { sequence: at(1, 1) } });
      one.know(epoch, { sequence: at(1, 5) });
      one.give(epoch, gaps(one.view(epoch)), 'awaiting sender');
    });
    const first = placed((one) => one.hole(epoch, { sequence: at(1, 3) }, 'unlisted device'));
    const second = placed((one) => one.hole(epoch, { sequence: at(1, 3) }, 'undecryptable'));
    expect([...first.placing.opened, ...second.placing.opened]).toEqual([]);
    expect(store.coverage.holes(epoch).map(({ from, to, reason }) => [from, to, reason])).toEqual([
      [2, 2, 'awaiting sender'],
      [3, 3, 'undecryptable'],
      [4, 5, 'awaiting sender'],
    ]);
  });

  test('is none where the number is held', () => {
    placed((one) => put(one, { n: 1, met: { sequence: at(1, 1) } }));
    const { placing } = placed((one) => one.hole(epoch, { sequence: at(1, 1) }, 'refused'));
    expect(placing.opened).toEqual([]);
    expect(store.coverage.holes(epoch)).toEqual([]);
  });

  test('that was given up and filled in one commit is none afterwards', () => {
    placed((one) => {
      put(one, { n: 1, met: { sequence: at(1, 1) } });
      put(one, { n: 3, met: { sequence: at(1, 3) } });
      one.give(epoch, gaps(one.view(epoch)), 'lost');
      put(one, { n: 2, met: { sequence: at(1, 2) } });
    });
    expect(store.coverage.holes(epoch)).toEqual([]);
    expect(texts()).toHaveLength(3);
  });
});
