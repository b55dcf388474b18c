import assert from 'node:assert/strict';
import { limits } from '@waxwing/protocol';
import type { Case } from './contract.ts';
import {
  accepted,
  accountNumber,
  enrol,
  handleNamed,
  keyOf,
  listed,
  nextList,
  recipient,
  relist,
  sending,
} from './people.ts';
import { numbersIn, readAll } from './reading.ts';

/** Sequenced submits: known n, order of n, attempts, device sets, group base, density (I-1, I-2). */
export const submitCases: readonly Case[] = [
  {
    name: 'an accepted message reaches every device of every named account but the sending one',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1, [1, 2]), await enrol(world, 2, [1, 2, 3])];
      const { sequence, duplicate, attempt, predecessor, serverTimeMs } = await accepted(
        world.storage,
        sending({ from: ann, to: [bob], text: 'hi' }),
      );
      assert.deepEqual({ duplicate, attempt, predecessor }, { duplicate: false, attempt: 1, predecessor: undefined });
      assert.equal(serverTimeMs, world.runtime.clock.now());
      for (const [person, id] of [
        [ann, 2],
        [bob, 1],
        [bob, 2],
        [bob, 3],
      ] as const) {
        const entries = await readAll(world.storage, keyOf(person, id));
        assert.deepEqual(
          entries.map(({ number, text }) => [number, text]),
          [[1, `hi for ${person.account.slice(-2)}.${id}`]],
        );
        const envelope = entries[0]!.envelope;
        if (envelope.type !== 'sequenced') throw new Error('a sequenced envelope');
        const { handle, n, sender, visible, urgent } = envelope;
        assert.deepEqual(
          { handle, n, sender, visible, urgent, sequence: envelope.sequence, attempt: envelope.attempt },
          {
            handle: handleNamed('handle'),
            n: 1,
            sender: { account: ann.account, device: 1 },
            visible: true,
            urgent: false,
            sequence,
            attempt: 1,
          },
        );
        assert.deepEqual([envelope.serverTimeMs, envelope.predecessor], [serverTimeMs, undefined]);
      }
      assert.deepEqual(await readAll(world.storage, keyOf(ann, 1)), []);
    },
  },
  {
    name: 'a shared ciphertext reaches every device that has none of its own',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2, [1, 2])];
      const named = recipient(bob, 'own');
      const [first, second] = named.devices;
      const { device, registrationId } = second!;
      await accepted(
        world.storage,
        sending({
          from: ann,
          recipients: [
            recipient(ann, '', 1),
            { ...named, devices: [first!, { device, registrationId, kind: 'sender_key' }] },
          ],
          sharedCiphertext: Buffer.from('for all'),
        }),
      );
      const texts = await Promise.all(
        [1, 2].map(async (id) => {
          const [entry] = await readAll(world.storage, keyOf(bob, id));
          return [entry!.text, entry!.envelope.ciphertextKind];
        }),
      );
      assert.deepEqual(texts, [
        ['own for 02.1', 'session'],
        ['for all', 'sender_key'],
      ]);
    },
  },
  {
    name: 'a retried submit keeps its number and is delivered once',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const submit = sending({ from: ann, to: [bob] });
      const first = await accepted(world.storage, submit);
      world.runtime.advance(5_000);
      for (let i = 0; i < 3; i++) {
        assert.deepEqual(await accepted(world.storage, submit), { ...first, duplicate: true });
      }
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [1]);
    },
  },
  {
    name: 'a known n is answered before the device sets are looked at',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const submit = sending({ from: ann, to: [bob] });
      const first = await accepted(world.storage, submit);
      await relist(world, bob, [...bob.list.list.devices, listed(2, 2)]);
      assert.deepEqual(await world.storage.mailboxes.submit(submit), { ...first, duplicate: true });
    },
  },
  {
    name: 'a known n is answered whatever floor and group base it carries',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const first = await accepted(world.storage, sending({ from: ann, to: [bob], change: true }));
      await accepted(world.storage, sending({ from: ann, to: [bob], change: true, n: 2 }));
      const again = sending({
        from: ann,
        to: [bob],
        change: true,
        changeBase: 0,
        floor: { era: first.sequence.era, number: 1_000 },
      });
      assert.deepEqual(await world.storage.mailboxes.submit(again), { ...first, duplicate: true });
    },
  },
  {
    name: 'another attempt of a committed n is told which attempt was committed',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const first = await accepted(world.storage, sending({ from: ann, to: [bob], attempt: 3 }));
      const other = await accepted(world.storage, sending({ from: ann, to: [bob], attempt: 4, text: 'other' }));
      assert.deepEqual(other, { ...first, duplicate: true, attempt: 3 });
      const texts = (await readAll(world.storage, keyOf(bob))).map(({ text }) => text);
      assert.deepEqual(texts, ['hello for 02.1']);
    },
  },
  {
    name: 'of attempts that race each other and a change of the list one is committed, and all are told which',
    async run(world) {
      const ann = await enrol(world, 1);
      for (const turn of [0, 1, 2, 3, 4, 5]) {
        const bob = await enrol(world, 10 + turn);
        const later = nextList(bob.list, [listed(1, 1), listed(2, 2)]);
        const bobNow = { account: bob.account, list: later };
        const handle = handleNamed(`race ${turn}`);
        const submit = (attempt: number) =>
          world.storage.mailboxes.submit(
            sending({ from: ann, to: [attempt === 1 ? bob : bobNow], attempt, text: `attempt ${attempt}`, handle }),
          );
        const [earlier, next, list] = [
          () => submit(1),
          () => submit(2),
          () => world.storage.directory.putDeviceList(later),
        ] as const;
        const orders = [
          [earlier, next, list],
          [earlier, list, next],
          [next, earlier, list],
          [next, list, earlier],
          [list, earlier, next],
          [list, next, earlier],
        ];
        await Promise.all((orders[turn] ?? []).map((begin) => begin()));
        // Both may have met the list that they were not for.
        const two = await submit(2);
        const one = await submit(1);
        assert.ok(one.type === 'accepted' && two.type === 'accepted');
        assert.deepEqual([one.sequence, one.attempt, one.duplicate], [two.sequence, two.attempt, true]);
        assert.equal(one.sequence.number, 1);
        const texts = (await readAll(world.storage, keyOf(bob))).map(({ text }) => text);
        assert.deepEqual(texts, [`attempt ${one.attempt} for ${bob.account.slice(-2)}.1`]);
      }
    },
  },
  {
    name: 'the same attempt with other bytes is a conflict and changes nothing',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      await accepted(world.storage, sending({ from: ann, to: [bob] }));
      assert.deepEqual(await world.storage.mailboxes.submit(sending({ from: ann, to: [bob], text: 'other' })), {
        type: 'refused',
        code: 'conflict',
      });
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [1]);
    },
  },
  {
    name: 'an n that skips one is out of order and commits nothing',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const { mailboxes } = world.storage;
      const outOfOrder = { type: 'refused', code: 'out_of_order' };
      assert.deepEqual(await mailboxes.submit(sending({ from: ann, to: [bob], n: 2, oldest: 1 })), outOfOrder);
      await accepted(world.storage, sending({ from: ann, to: [bob], n: 1 }));
      assert.deepEqual(await mailboxes.submit(sending({ from: ann, to: [bob], n: 3, oldest: 2 })), outOfOrder);
      assert.deepEqual(await mailboxes.submit(sending({ from: ann, to: [bob], n: 3, oldest: 1 })), outOfOrder);
      const second = await accepted(world.storage, sending({ from: ann, to: [bob], n: 2 }));
      const third = await accepted(world.storage, sending({ from: ann, to: [bob], n: 3, oldest: 2 }));
      assert.deepEqual([second.sequence.number, third.sequence.number], [2, 3]);
    },
  },
  {
    name: 'where the last n is unknown or lower, counting goes on at the oldest unknown n',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const { mailboxes } = world.storage;
      const outOfOrder = { type: 'refused', code: 'out_of_order' };
      assert.deepEqual(await mailboxes.submit(sending({ from: ann, to: [bob], n: 8, oldest: 7 })), outOfOrder);
      await accepted(world.storage, sending({ from: ann, to: [bob], n: 7, oldest: 7 }));
      await accepted(world.storage, sending({ from: ann, to: [bob], n: 8, oldest: 7 }));
      await accepted(world.storage, sending({ from: ann, to: [bob], n: 20, oldest: 20 }));
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [1, 2, 3]);
    },
  },
  {
    name: 'an n at or below the last without a remembered result is stale',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const count = limits.resultsRemembered + 1;
      for (let n = 1; n <= count; n++) await accepted(world.storage, sending({ from: ann, to: [bob], n }));
      const stale = { type: 'refused', code: 'stale_n' };
      assert.deepEqual(await world.storage.mailboxes.submit(sending({ from: ann, to: [bob], n: 1 })), stale);
      const second = await accepted(world.storage, sending({ from: ann, to: [bob], n: 2 }));
      assert.deepEqual([second.duplicate, second.sequence.number], [true, 2]);
    },
  },
  {
    name: 'each sender device counts its own n, per handle',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1, [1, 2]), await enrol(world, 2)];
      const numbers: number[] = [];
      for (const submit of [
        sending({ from: ann, to: [bob], device: 1 }),
        sending({ from: ann, to: [bob], device: 2 }),
        sending({ from: bob, to: [ann] }),
        sending({ from: ann, to: [bob], device: 1, handle: handleNamed('other') }),
      ]) {
        const { sequence, duplicate } = await accepted(world.storage, submit);
        assert.equal(duplicate, false);
        numbers.push(sequence.number);
      }
      assert.deepEqual(numbers, [1, 2, 3, 1]);
    },
  },
  {
    name: 'devices that differ from the newest lists are all named, and nothing is committed',
    async run(world) {
      const [ann, bob, cat] = [await enrol(world, 1, [1, 2]), await enrol(world, 2, [1, 2]), await enrol(world, 3)];
      const bobNow = await relist(world, bob, [listed(1, 1), listed(3, 2)]);
      const wrong = recipient(bob, 'x');
      const annOld = { ...recipient(ann, 'x', 1), devices: [] };
      const catOther = recipient(cat, 'x');
      const stale = catOther.devices.map((device) => ({ ...device, registrationId: 9 }));
      const result = await world.storage.mailboxes.submit(
        sending({ from: ann, recipients: [annOld, wrong, { ...catOther, devices: stale }] }),
      );
      assert.deepEqual(result, {
        type: 'mismatch',
        mismatches: [
          { account: ann.account, listVersion: 1, missing: [2], extra: [], stale: [] },
          { account: bob.account, listVersion: 2, missing: [3], extra: [2], stale: [] },
          { account: cat.account, listVersion: 1, missing: [], extra: [], stale: [1] },
        ],
      });
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), []);
      const { sequence } = await accepted(world.storage, sending({ from: ann, to: [bobNow, cat], attempt: 2 }));
      assert.equal(sequence.number, 1);
    },
  },
  {
    name: 'the sending device must not be named, and an account must not be named without devices',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1, [1, 2]), await enrol(world, 2)];
      const { mailboxes } = world.storage;
      const withItself = await mailboxes.submit(sending({ from: ann, recipients: [recipient(ann, 'x')] }));
      const expected = { account: ann.account, listVersion: 1, missing: [], extra: [1], stale: [] };
      assert.deepEqual(withItself, { type: 'mismatch', mismatches: [expected] });
      const empty = { ...recipient(bob, 'x'), devices: [] };
      const withNobody = await mailboxes.submit(sending({ from: ann, recipients: [recipient(ann, 'x', 1), empty] }));
      const missing = { account: bob.account, listVersion: 1, missing: [1], extra: [], stale: [] };
      assert.deepEqual(withNobody, { type: 'mismatch', mismatches: [missing] });
    },
  },
  {
    name: 'an unknown account and a sender that is not named are refused',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const stranger = { ...recipient(bob, 'x'), account: accountNumber(99) };
      const { mailboxes } = world.storage;
      assert.deepEqual(await mailboxes.submit(sending({ from: ann, recipients: [recipient(ann, 'x', 1), stranger] })), {
        type: 'refused',
        code: 'unknown_recipient',
      });
      assert.deepEqual(await mailboxes.submit(sending({ from: ann, recipients: [recipient(bob, 'x')] })), {
        type: 'refused',
        code: 'bad_recipients',
      });
    },
  },
  {
    name: 'a message for nobody takes a number and no mailbox',
    async run(world) {
      const ann = await enrol(world, 1);
      const { sequence } = await accepted(world.storage, sending({ from: ann }));
      assert.equal(sequence.number, 1);
      assert.deepEqual(await numbersIn(world.storage, keyOf(ann)), []);
    },
  },
  {
    name: 'a group base below the last change is stale; an equal or higher one, or none, is taken',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const send = (o: object) => world.storage.mailboxes.submit(sending({ from: ann, to: [bob], ...o }));
      assert.equal((await send({ n: 1, changeBase: 5 })).type, 'accepted');
      assert.equal((await send({ n: 2, change: true, changeBase: 0 })).type, 'accepted');
      assert.deepEqual(await send({ n: 3, changeBase: 1 }), { type: 'stale_group', lastChange: 2 });
      assert.equal((await send({ n: 3, changeBase: 2 })).type, 'accepted');
      assert.equal((await send({ n: 4, changeBase: 7 })).type, 'accepted');
      assert.equal((await send({ n: 5 })).type, 'accepted');
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [1, 2, 3, 4, 5]);
    },
  },
  {
    name: 'numbers are dense under concurrency and refusals',
    async run(world) {
      const people = await Promise.all([1, 2, 3, 4].map((n) => enrol(world, n)));
      const rounds = 12;
      const results = await Promise.all(
        people.flatMap((from) =>
          Array.from({ length: rounds }, (_, i) => {
            const to = people.filter((person) => person !== from);
            const submit = sending({ from, to, n: i + 1, oldest: 1 });
            const tries = [world.storage.mailboxes.submit(submit)];
            if (i % 3 === 0) tries.push(world.storage.mailboxes.submit(submit));
            if (i % 4 === 0) tries.push(world.storage.mailboxes.submit({ ...submit, n: 500 }));
            return tries;
          }).flat(),
        ),
      );
      const numbers = results.flatMap((r) => (r.type === 'accepted' && !r.duplicate ? [r.sequence.number] : []));
      numbers.sort((a, b) => a - b);
      assert.deepEqual(
        numbers,
        Array.from({ length: people.length * rounds }, (_, i) => i + 1),
      );
      for (const person of people) {
        const entries = await readAll(world.storage, keyOf(person));
        assert.equal(entries.length, (people.length - 1) * rounds);
        for (const sender of people) {
          const ns = entries.flatMap(({ envelope: e }) =>
            e.type === 'sequenced' && e.sender.account === sender.account ? [e.n] : [],
          );
          assert.deepEqual(
            ns,
            [...ns].sort((a, b) => a - b),
          );
        }
      }
    },
  },
  {
    name: 'what was accepted survives closing and opening again',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const first = await accepted(world.storage, sending({ from: ann, to: [bob] }));
      const before = await world.storage.mailboxes.open(keyOf(bob));
      await world.reopen();
      assert.deepEqual(await accepted(world.storage, sending({ from: ann, to: [bob] })), { ...first, duplicate: true });
      assert.equal((await world.storage.mailboxes.open(keyOf(bob))).incarnation, before.incarnation);
      const second = await accepted(world.storage, sending({ from: ann, to: [bob], n: 2 }));
      assert.deepEqual(second.sequence, { era: first.sequence.era, number: 2 });
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [1, 2]);
    },
  },
  {
    name: 'a device id that returns with another device has an n memory of its own',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1, [1, 2]), await enrol(world, 2)];
      await accepted(world.storage, sending({ from: ann, to: [bob], device: 2 }));
      const without = await relist(world, ann, [listed(1, 1)]);
      const again = await relist(world, without, [listed(1, 1), listed(2, 3, 1)]);
      const { duplicate, sequence } = await accepted(
        world.storage,
        sending({ from: again, to: [bob], device: 2, text: 'new device' }),
      );
      assert.deepEqual([duplicate, sequence.number], [false, 2]);
    },
  },
];
