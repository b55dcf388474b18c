import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  encodeRepairAnswer,
  firstPrev,
  frameHash,
  parseEra,
  sha256,
  type DeviceAddress,
  type RepairAnswer,
  type RepairedFrame,
  type Sequence,
} from '@waxwing/protocol';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStore, type Store } from '../../../../client-core/src/history/store.ts';
import type { Contacts } from '../../../../client-core/src/sync/contacts.ts';
import type { SyncContext } from '../../../../client-core/src/sync/context.ts';
import { Placing } from '../../../../client-core/src/sync/placing.ts';
import { RepairTaker, type Taken } from '../../../../client-core/src/sync/repair-taker.ts';
import { alice, at, bob, carol, frameOf, handle, handleOf } from './frames.ts';

const NOW = 1_000;
const toCome = handleOf('to come');

let store: Store;
let taker: RepairTaker;
let epoch: number;
let knowsBob: boolean;

/** Alice's device, in a conversation with bob. */
beforeEach(() => {
  knowsBob = true;
  store = openStore(join(mkdtempSync(join(tmpdir(), 'waxwing-taker-')), 'device.db'), new Uint8Array(32).fill(1), {
    create: true,
  });
  store.transaction(() => {
    const { id } = store.conversations.ensureDirect(bob.account, 0);
    epoch = store.conversations.ensureEpoch(id, 1, handle).id;
  });
  const context = { store, local: { address: alice }, clock: { now: () => NOW } } as unknown as SyncContext;
  const contacts = {
    device: () => (knowsBob ? { addedIn: 1 } : undefined),
    epoch: () => ({ number: 1, handle: toCome }),
  } as unknown as Contacts;
  taker = new RepairTaker(context, contacts);
});
afterEach(() => store.close());

/** Puts bob's frames into the history, as the relay brings them. */
function hold(...places: readonly (readonly [n: number, at: Sequence])[]): void {
  store.transaction(() => {
    const party = store.parties.ensure(bob, 1);
    const placing = new Placing(store, NOW);
    for (const [n, sequence] of places) {
      const [hash, prev] = [
        frameHash(frameOf(bob, n)),
        n === 1 ? firstPrev(handle, bob) : frameHash(frameOf(bob, n - 1)),
      ];
      const claims = { prev, replaces: [] };
      placing.place({ epoch, party, n, hash, ciphertextHash: null, met: { sequence }, claims });
    }
    placing.finish();
  });
}

/** What an answer does; missing numbers are shown as holes before. */
function take(answer: Partial<RepairAnswer> | Uint8Array, from: DeviceAddress = bob): Taken {
  const whole = { handle, frames: [], goneNumbers: [], goneFrames: [] };
  const body = answer instanceof Uint8Array ? answer : encodeRepairAnswer({ ...whole, ...answer });
  return store.transaction(() => {
    const placing = new Placing(store, NOW);
    const taken = taker.take(from, body, placing);
    placing.finish();
    return taken;
  });
}
const item = (n: number, sequence: Sequence, o: Partial<RepairedFrame> = {}): RepairedFrame => ({
  sequence,
  sender: bob,
  n,
  serverTimeMs: 1,
  frame: frameOf(bob, n),
  ...o,
});
const refused = (what: string): Taken => ({ frames: false, alerts: [`repair refused: ${what}`] });
const nothing: Taken = { frames: false, alerts: [] };

describe('an answer', () => {
  test('that is none, or of another conversation, is refused; of one to come it is left', () => {
    expect(take(Uint8Array.of(255))).toEqual(refused('unreadable'));
    expect(take({}, carol)).toEqual(refused('handle of another conversation'));
    expect(take({ handle: handleOf('unknown') })).toEqual(refused('handle of another conversation'));
    expect(take({ handle: toCome })).toEqual(nothing);
  });

  test('fills what is missing, and is left where nothing is', () => {
    hold([1, at(1, 1)], [3, at(1, 3)]);
    expect(take({ frames: [item(2, at(1, 2))] })).toEqual({ frames: true, alerts: [] });
    expect(take({ frames: [item(2, at(1, 2))] })).toEqual(nothing);
  });

  test('fills a number at which the relay gave an earlier frame again', () => {
    hold([1, at(1, 1)], [1, at(1, 2)], [3, at(1, 3)]);
    expect(take({ frames: [item(2, at(1, 2))] })).toEqual({ frames: true, alerts: [] });
    expect(store.coverage.chainHoles(epoch)).toEqual([]);
  });

  test('moves no own frame into an era that this device does not know', () => {
    store.transaction(() => {
      const party = store.parties.ensure(alice, 1);
      const placing = new Placing(store, NOW);
      const met = { sequence: at(1, 1) };
      placing.place({ epoch, party, n: 1, hash: frameHash(frameOf(alice, 1)), ciphertextHash: null, met });
      placing.finish();
    });
    expect(take({ frames: [item(1, at(900, 7), { sender: alice, frame: frameOf(alice, 1) })] })).toEqual(nothing);
    expect(store.frames.frame(epoch, store.parties.ensure(alice, 1), 1)?.stands).toEqual(at(1, 1));
  });

  test('moves a run of frames that the relay had forgotten, all at once', () => {
    hold([1, at(1, 1)], [2, at(1, 2)], [3, at(1, 3)], [4, at(2, 4)]);
    const run = [1, 2, 3];
    const frames = run.map((n) => item(n, at(2, n)));
    expect(take({ frames })).toEqual({ frames: true, alerts: [] });
    const party = store.parties.ensure(bob, 1);
    expect(run.map((n) => store.frames.frame(epoch, party, n)?.stands)).toEqual(run.map((n) => at(2, n)));
  });

  test('fills the numbers that a store forgot to have given to what stands in a later era by now', () => {
    hold([1, at(1, 1)], [2, at(2, 1)], [3, at(2, 2)], [4, at(2, 3)]);
    store.transaction(() => {
      const placing = new Placing(store, NOW);
      placing.know(epoch, { sequence: at(1, 4) });
      placing.give(epoch, [{ era: parseEra(1), from: 2, to: 4 }], 'lost');
      placing.finish();
    });
    const frames = [2, 3, 4].map((n) => item(n, at(1, n)));
    expect(take({ frames })).toEqual({ frames: true, alerts: [] });
    expect(store.coverage.holes(epoch)).toEqual([]);
    const party = store.parties.ensure(bob, 1);
    expect(store.frames.frame(epoch, party, 3)?.stands).toEqual(at(2, 2));
  });

  test('of a stranger, of no frame, or of another one, is refused', () => {
    hold([1, at(1, 1)], [3, at(1, 3)]);
    expect(take({ frames: [item(2, at(1, 2), { sender: carol, frame: frameOf(carol, 2) })] })).toEqual(
      refused('sender'),
    );
    expect(take({ frames: [item(2, at(1, 2), { frame: Uint8Array.of(1, 2, 3) })] })).toEqual(refused('frame'));
    expect(take({ frames: [item(2, at(1, 2), { sender: alice })] })).toEqual(refused('sender'));
    expect(take({ frames: [item(2, at(1, 2), { frame: frameOf(bob, 3) })] })).toEqual(refused('n'));
    expect(take({ frames: [item(3, at(1, 2), { frame: frameOf(bob, 3, { text: 'other' }) })] })).toEqual(
      refused('another frame under this n'),
    );
    expect(take({ frames: [item(2, at(1, 3))] })).toEqual(refused('another frame at this number'));
    expect(take({ frames: [item(2, at(1, 2), { frame: frameOf(bob, 2, { prev: sha256('else') }) })] })).toEqual(
      refused('prev'),
    );
    // What follows it has named another.
    expect(take({ frames: [item(2, at(1, 2), { frame: frameOf(bob, 2, { text: 'other' }) })] })).toEqual(
      refused('prev'),
    );
  });

  test('about an own frame that is lost here is believed only where the one after it names it', () => {
    const own = (n: number, o: Partial<RepairedFrame> = {}) =>
      item(n, at(1, n), { sender: alice, frame: frameOf(alice, n), ...o });
    hold([1, at(1, 3)]);
    expect(take({ frames: [own(1)] })).toEqual(nothing);
    store.transaction(() => {
      const party = store.parties.ensure(alice, 1);
      store.frames.insertFrame(epoch, party, 2, {
        hash: frameHash(frameOf(alice, 2)),
        ciphertextHash: null,
        stands: at(1, 2),
        prev: frameHash(frameOf(alice, 1)),
      });
    });
    expect(take({ frames: [own(1, { frame: frameOf(alice, 1, { text: 'other' }) })] })).toEqual(
      refused('another frame than the one that is fixed'),
    );
  });

  test('of a device that no list names is left, until it is known', () => {
    knowsBob = false;
    expect(take({ frames: [item(1, at(1, 1))] })).toEqual(nothing);
    hold([1, at(1, 1)], [3, at(1, 3)]);
    expect(take({ frames: [item(2, at(1, 2))] })).toEqual({ frames: true, alerts: [] });
  });

  test('that says what is gone closes its holes', () => {
    hold([1, at(1, 1)], [2, at(1, 3)], [6, at(1, 4)]);
    store.transaction(() => {
      const placing = new Placing(store, NOW);
      placing.give(epoch, [{ era: parseEra(1), from: 2, to: 2 }], 'awaiting sender');
      placing.finish();
    });
    take({
      goneNumbers: [
        { era: parseEra(1), from: 1, to: 9 },
        { era: parseEra(7), from: 1, to: 1 },
      ],
      goneFrames: [
        { sender: bob, from: 3, to: 4 },
        { sender: carol, from: 1, to: 1 },
      ],
    });
    expect(store.coverage.holes(epoch)).toMatchObject([{ from: 2, to: 2, reason: 'removed' }]);
    const chained = store.coverage.chainHoles(epoch).map(({ fromN, toN, reason }) => [fromN, toN, reason]);
    expect(chained).toEqual([
      [3, 4, 'removed'],
      [5, 5, 'lost'],
    ]);
  });
});
