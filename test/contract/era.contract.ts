import assert from 'node:assert/strict';
import { limits, parseEra } from '@waxwing/protocol';
import type { Case, World } from './contract.ts';
import { accepted, enrol, handleNamed, keyOf, sending } from './people.ts';
import { readAll } from './reading.ts';

const HOUR = 3_600_000;

/** The era after another that the clock is behind of. */
const behind = ({ runtime }: World, era: number): number => era + 1 + (runtime.clock.now() % 2 ** 20);

/** Floors, eras, lifetimes of counters, heads and entries (I-6, I-7). */
export const eraCases: readonly Case[] = [
  {
    name: 'a new handle begins an era at the present, with an unknown predecessor',
    async run(world) {
      const ann = await enrol(world, 1);
      const { sequence, predecessor } = await accepted(world.storage, sending({ from: ann }));
      assert.deepEqual(sequence, { era: world.runtime.clock.now(), number: 1 });
      assert.equal(predecessor, undefined);
      world.runtime.advance(1_000);
      const next = await accepted(world.storage, sending({ from: ann, n: 2 }));
      assert.deepEqual(next.sequence, { era: sequence.era, number: 2 });
    },
  },
  {
    name: 'a floor above the counter begins an era whose predecessor is what the store counted',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const { sequence } = await accepted(world.storage, sending({ from: ann, to: [bob] }));
      world.runtime.advance(1_000);
      const floor = { era: sequence.era, number: 3 };
      const second = await accepted(world.storage, sending({ from: ann, to: [bob], n: 2, floor }));
      assert.deepEqual(second.sequence, { era: world.runtime.clock.now(), number: 1 });
      assert.deepEqual(second.predecessor, sequence);
      const third = await accepted(world.storage, sending({ from: ann, to: [bob], n: 3, floor }));
      assert.deepEqual(third.sequence, { era: second.sequence.era, number: 2 });
      assert.deepEqual(third.predecessor, sequence);
      const envelopes = (await readAll(world.storage, keyOf(bob))).map(({ envelope }) => envelope);
      const predecessors = envelopes.map((e) => (e.type === 'sequenced' ? e.predecessor : undefined));
      assert.deepEqual(predecessors, [undefined, sequence, sequence]);
    },
  },
  {
    name: 'a floor at or below the counter changes nothing',
    async run(world) {
      const ann = await enrol(world, 1);
      const { sequence } = await accepted(world.storage, sending({ from: ann }));
      const second = await accepted(world.storage, sending({ from: ann, n: 2, floor: sequence }));
      assert.deepEqual(second.sequence, { era: sequence.era, number: 2 });
      const older = { era: parseEra(sequence.era - 1), number: 900 };
      const third = await accepted(world.storage, sending({ from: ann, n: 3, floor: older }));
      assert.deepEqual(third.sequence, { era: sequence.era, number: 3 });
    },
  },
  {
    name: 'an era follows the floor and the last era even when the clock is behind them',
    async run(world) {
      const ann = await enrol(world, 1);
      const now = world.runtime.clock.now();
      const floor = { era: parseEra(now + HOUR), number: 4 };
      const first = await accepted(world.storage, sending({ from: ann, floor }));
      assert.deepEqual([first.sequence, first.predecessor], [{ era: behind(world, floor.era), number: 1 }, undefined]);
      world.runtime.stepClock(-10 * HOUR);
      const higher = { era: first.sequence.era, number: 9 };
      const second = await accepted(world.storage, sending({ from: ann, n: 2, floor: higher }));
      assert.deepEqual(
        [second.sequence, second.predecessor],
        [{ era: behind(world, higher.era), number: 1 }, first.sequence],
      );
    },
  },
  {
    name: 'a clock that was set back does not turn an era back',
    async run(world) {
      const ann = await enrol(world, 1);
      const { sequence } = await accepted(world.storage, sending({ from: ann }));
      world.runtime.stepClock(-30 * 24 * HOUR);
      const second = await accepted(world.storage, sending({ from: ann, n: 2 }));
      assert.deepEqual(second.sequence, { era: sequence.era, number: 2 });
      await world.reopen({ restored: true });
      const third = await accepted(world.storage, sending({ from: ann, n: 3 }));
      assert.deepEqual(
        [third.sequence, third.predecessor],
        [{ era: behind(world, sequence.era), number: 1 }, second.sequence],
      );
    },
  },
  {
    name: 'two stores restored from one backup under a clock that is behind begin different eras',
    async run(world) {
      const ann = await enrol(world, 1);
      const first = await accepted(world.storage, sending({ from: ann }));
      const backup = await world.backup();
      world.runtime.stepClock(-25 * HOUR);
      const eras = new Set([first.sequence.era]);
      for (let restore = 0; restore < 3; restore += 1) {
        await world.reopen({ backup, restored: true });
        world.runtime.advance(1);
        const { sequence, predecessor } = await accepted(world.storage, sending({ from: ann, n: 2 }));
        assert.ok(sequence.era > first.sequence.era);
        assert.deepEqual(predecessor, first.sequence);
        eras.add(sequence.era);
      }
      assert.equal(eras.size, 4);
    },
  },
  {
    name: 'a floor above the counter and too far ahead of now is refused and counts nothing',
    async run(world) {
      const ann = await enrol(world, 1);
      const now = world.runtime.clock.now();
      const refused = { type: 'refused', code: 'floor_ahead' };
      const far = { era: parseEra(now + limits.floorAheadMs + 1), number: 1 };
      assert.deepEqual(await world.storage.mailboxes.submit(sending({ from: ann, floor: far })), refused);
      const { sequence } = await accepted(world.storage, sending({ from: ann }));
      assert.deepEqual(sequence, { era: now, number: 1 });
      assert.deepEqual(await world.storage.mailboxes.submit(sending({ from: ann, n: 2, floor: far })), refused);
      const near = { era: parseEra(now + limits.floorAheadMs), number: 1 };
      const second = await accepted(world.storage, sending({ from: ann, n: 2, floor: near }));
      assert.equal(second.sequence.era, behind(world, near.era));
    },
  },
  {
    name: 'a floor that is not above the counter is taken however far ahead',
    async run(world) {
      const ann = await enrol(world, 1);
      const { sequence } = await accepted(world.storage, sending({ from: ann }));
      world.runtime.stepClock(-2 * limits.floorAheadMs);
      const second = await accepted(world.storage, sending({ from: ann, n: 2, floor: sequence }));
      assert.deepEqual(second.sequence, { era: sequence.era, number: 2 });
    },
  },
  {
    name: 'another incarnation of the store begins an era and keeps what is known of n',
    async run(world) {
      const ann = await enrol(world, 1);
      const first = await accepted(world.storage, sending({ from: ann }));
      world.runtime.advance(1_000);
      await world.reopen({ restored: true });
      assert.deepEqual(await accepted(world.storage, sending({ from: ann })), { ...first, duplicate: true });
      const second = await accepted(world.storage, sending({ from: ann, n: 2 }));
      assert.deepEqual(second.sequence, { era: world.runtime.clock.now(), number: 1 });
      assert.deepEqual(second.predecessor, first.sequence);
      const third = await accepted(world.storage, sending({ from: ann, n: 3 }));
      assert.deepEqual(third.sequence, { era: second.sequence.era, number: 2 });
    },
  },
  {
    name: 'opening the same store again begins no era',
    async run(world) {
      const ann = await enrol(world, 1);
      const first = await accepted(world.storage, sending({ from: ann }));
      world.runtime.advance(1_000);
      await world.reopen();
      const second = await accepted(world.storage, sending({ from: ann, n: 2 }));
      assert.deepEqual(second.sequence, { era: first.sequence.era, number: 2 });
    },
  },
  {
    name: 'a store that lost its counters goes on in a new era of unknown predecessor',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const first = await accepted(world.storage, sending({ from: ann, to: [bob] }));
      await accepted(world.storage, sending({ from: ann, to: [bob], n: 2 }));
      await world.reopen({ loseRelay: true });
      const floor = { era: first.sequence.era, number: 2 };
      const third = await accepted(world.storage, sending({ from: ann, to: [bob], n: 3, floor }));
      assert.ok(third.sequence.era > first.sequence.era);
      assert.deepEqual([third.sequence.number, third.predecessor], [1, undefined]);
    },
  },
  {
    name: 'a backup put back without a word is found out by the floor',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const first = await accepted(world.storage, sending({ from: ann, to: [bob] }));
      const backup = await world.backup();
      const second = await accepted(world.storage, sending({ from: ann, to: [bob], n: 2 }));
      await world.reopen({ backup });
      const third = await accepted(world.storage, sending({ from: ann, to: [bob], n: 3, floor: second.sequence }));
      assert.ok(third.sequence.era > second.sequence.era);
      assert.deepEqual([third.sequence.number, third.predecessor], [1, first.sequence]);
    },
  },
  {
    name: 'a change of an earlier era is no group base',
    async run(world) {
      const ann = await enrol(world, 1);
      for (let n = 1; n <= 3; n++) await accepted(world.storage, sending({ from: ann, n, change: n === 3 }));
      await world.reopen({ restored: true });
      await accepted(world.storage, sending({ from: ann, n: 4, changeBase: 1 }));
      await accepted(world.storage, sending({ from: ann, n: 5, changeBase: 1 }));
      await accepted(world.storage, sending({ from: ann, n: 6, change: true }));
      const result = await world.storage.mailboxes.submit(sending({ from: ann, n: 7, changeBase: 1 }));
      assert.deepEqual(result, { type: 'stale_group', lastChange: 3 });
    },
  },
  {
    name: 'a counter and its memory of n are forgotten together, after their idle time',
    async run(world) {
      const ann = await enrol(world, 1);
      await accepted(world.storage, sending({ from: ann }));
      world.runtime.advance(limits.counterTtlMs - 1);
      const { sequence } = await accepted(world.storage, sending({ from: ann, n: 2 }));
      assert.equal(sequence.number, 2);
      world.runtime.advance(limits.counterTtlMs - 1);
      assert.deepEqual(await world.storage.mailboxes.heads([handleNamed('handle')]), [
        { handle: handleNamed('handle'), last: sequence },
      ]);
      world.runtime.advance(1);
      assert.deepEqual(await world.storage.mailboxes.heads([handleNamed('handle')]), [
        { handle: handleNamed('handle') },
      ]);
      const again = await accepted(world.storage, sending({ from: ann, n: 1 }));
      assert.deepEqual(
        [again.duplicate, again.sequence, again.predecessor],
        [false, { era: world.runtime.clock.now(), number: 1 }, undefined],
      );
    },
  },
  {
    name: 'heads name the last sequence and predecessor of each handle and begin no era',
    async run(world) {
      const ann = await enrol(world, 1);
      const [one, two, none] = [handleNamed('one'), handleNamed('two'), handleNamed('none')];
      const first = await accepted(world.storage, sending({ from: ann, handle: one }));
      const floor = { era: first.sequence.era, number: 5 };
      const second = await accepted(world.storage, sending({ from: ann, handle: one, n: 2, floor }));
      const other = await accepted(world.storage, sending({ from: ann, handle: two }));
      const expected = [
        { handle: two, last: other.sequence },
        { handle: none },
        { handle: one, last: second.sequence, predecessor: first.sequence },
      ];
      assert.deepEqual(await world.storage.mailboxes.heads([two, none, one]), expected);
      await world.reopen({ restored: true });
      assert.deepEqual(await world.storage.mailboxes.heads([two, none, one]), expected);
    },
  },
  {
    name: 'entries are told to the accounts that sent or got them and to no others',
    async run(world) {
      const [ann, bob, eve] = [await enrol(world, 1, [1, 2]), await enrol(world, 2), await enrol(world, 3)];
      const { sequence } = await accepted(world.storage, sending({ from: ann, to: [bob], device: 2, n: 5 }));
      await accepted(world.storage, sending({ from: bob, to: [ann] }));
      const ask = (person: typeof ann, numbers = [1, 2, 3], era = sequence.era) =>
        world.storage.mailboxes.entries(handleNamed('handle'), era, numbers, keyOf(person));
      const expected = [
        { number: 1, sender: { account: ann.account, device: 2 }, n: 5 },
        { number: 2, sender: { account: bob.account, device: 1 }, n: 1 },
      ];
      assert.deepEqual(await ask(ann), expected);
      assert.deepEqual(await ask(bob), expected);
      assert.deepEqual(await ask(bob, [2]), expected.slice(1));
      assert.deepEqual(await ask(eve), []);
      assert.deepEqual(await ask(ann, [1], parseEra(sequence.era + 1)), []);
      await world.reopen();
      assert.deepEqual(await ask(ann), expected);
      world.runtime.advance(limits.mailboxTtlMs - 1);
      assert.deepEqual(await ask(ann), expected);
      world.runtime.advance(1);
      assert.deepEqual(await ask(ann), []);
    },
  },
];
