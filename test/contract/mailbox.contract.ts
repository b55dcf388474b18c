import assert from 'node:assert/strict';
import { limits } from '@waxwing/protocol';
import type { ArrivedEntry } from '@waxwing/storage';
import type { Case, World } from './contract.ts';
import { accepted, enrol, keyOf, listed, relist, sending, type Person } from './people.ts';
import { ackUpTo, marksIn, numbersIn, position, readAll } from './reading.ts';

/** Sends `count` messages from `from`, counting n up from `n`. */
async function sendMany(world: World, from: Person, to: Person, count: number, n = 1): Promise<void> {
  for (let i = 0; i < count; i++) await accepted(world.storage, sending({ from, to: [to], n: n + i }));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** Mailboxes: paging, trimming, incarnations, marks, expiry, wake-ups (I-3, I-4, I-6). */
export const mailboxCases: readonly Case[] = [
  {
    name: 'entries are read in order, in pages bounded by count and bytes, but at least one',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      await sendMany(world, ann, bob, 7);
      const read = async (after: number, entries: number, bytes: number) =>
        (await world.storage.mailboxes.read(keyOf(bob), after, { entries, bytes })).entries;
      const numbers = (page: Awaited<ReturnType<typeof read>>) => page.map(({ number }) => number);
      assert.deepEqual(numbers(await read(0, 3, 1e9)), [1, 2, 3]);
      assert.deepEqual(numbers(await read(3, 3, 1e9)), [4, 5, 6]);
      assert.deepEqual(numbers(await read(6, 3, 1e9)), [7]);
      assert.deepEqual(numbers(await read(7, 3, 1e9)), []);
      const [first, second] = await read(0, 2, 1e9);
      const two = first!.envelope.length + second!.envelope.length;
      assert.deepEqual(numbers(await read(0, 10, two)), [1, 2]);
      assert.deepEqual(numbers(await read(0, 10, two - 1)), [1]);
      assert.deepEqual(numbers(await read(0, 10, 1)), [1]);
    },
  },
  {
    name: 'an ack trims everything up to it, once and for all',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      await sendMany(world, ann, bob, 5);
      const at = await position(world.storage, keyOf(bob), 3);
      assert.deepEqual(await world.storage.mailboxes.ack(keyOf(bob), at), { type: 'trimmed' });
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [4, 5]);
      assert.deepEqual(await world.storage.mailboxes.ack(keyOf(bob), { ...at, number: 1 }), { type: 'trimmed' });
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [4, 5]);
      await world.reopen();
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [4, 5]);
    },
  },
  {
    name: 'a committed position given at opening trims like an ack',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      await sendMany(world, ann, bob, 3);
      const committed = await position(world.storage, keyOf(bob), 2);
      const { restarted, after, incarnation } = await world.storage.mailboxes.open(keyOf(bob), committed);
      assert.deepEqual(
        { restarted, after, incarnation },
        { restarted: false, after: 2, incarnation: committed.incarnation },
      );
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [3]);
    },
  },
  {
    name: 'an ack beyond the last entry trims no entry that comes later',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      await sendMany(world, ann, bob, 2);
      await ackUpTo(world.storage, keyOf(bob), 50);
      await sendMany(world, ann, bob, 2, 3);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [3, 4]);
    },
  },
  {
    name: 'positions of another incarnation trim nothing and are answered with the mailbox’s own',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      await sendMany(world, ann, bob, 3);
      const { incarnation } = await world.storage.mailboxes.open(keyOf(bob));
      const foreign = { incarnation: 'AAAAAAAAAAA', number: 3 };
      assert.deepEqual(await world.storage.mailboxes.ack(keyOf(bob), foreign), { type: 'restarted', incarnation });
      const opened = await world.storage.mailboxes.open(keyOf(bob), foreign);
      assert.deepEqual([opened.restarted, opened.after, opened.incarnation], [true, 0, incarnation]);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [1, 2, 3]);
    },
  },
  {
    name: 'a restored store gives every mailbox another incarnation and keeps its entries',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      await sendMany(world, ann, bob, 3);
      const before = await position(world.storage, keyOf(bob), 2);
      const backup = await world.backup();
      await world.storage.mailboxes.ack(keyOf(bob), before);
      await sendMany(world, ann, bob, 2, 4);
      await world.reopen({ backup, restored: true });
      const answer = await world.storage.mailboxes.ack(keyOf(bob), { ...before, number: 3 });
      assert.equal(answer.type, 'restarted');
      const opened = await world.storage.mailboxes.open(keyOf(bob), before);
      assert.deepEqual([opened.restarted, opened.after], [true, 0]);
      assert.notEqual(opened.incarnation, before.incarnation);
      assert.deepEqual(answer, { type: 'restarted', incarnation: opened.incarnation });
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [1, 2, 3]);
      await world.reopen();
      const again = await world.storage.mailboxes.open(keyOf(bob), { incarnation: opened.incarnation, number: 1 });
      assert.deepEqual([again.restarted, again.after], [false, 1]);
    },
  },
  {
    name: 'a backup put back without a word is found out by a position that it never gave',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      await sendMany(world, ann, bob, 2);
      const backup = await world.backup();
      await sendMany(world, ann, bob, 2, 3);
      const before = await position(world.storage, keyOf(bob), 4);
      await world.reopen({ backup });
      const known = await world.storage.mailboxes.open(keyOf(bob), { ...before, number: 2 });
      assert.deepEqual([known.restarted, known.after, known.incarnation], [false, 2, before.incarnation]);
      const opened = await world.storage.mailboxes.open(keyOf(bob), before);
      assert.deepEqual([opened.restarted, opened.after], [true, 0]);
      assert.notEqual(opened.incarnation, before.incarnation);
      await sendMany(world, ann, bob, 2, 3);
      assert.deepEqual((await numbersIn(world.storage, keyOf(bob))).slice(-2), [3, 4]);
      const again = await world.storage.mailboxes.open(keyOf(bob), { incarnation: opened.incarnation, number: 2 });
      assert.deepEqual([again.restarted, again.after], [false, 2]);
    },
  },
  {
    name: 'a lost mailbox comes back under another incarnation',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      await sendMany(world, ann, bob, 3);
      const before = await position(world.storage, keyOf(bob), 3);
      await world.reopen({ loseRelay: true });
      await sendMany(world, ann, bob, 1, 4);
      const opened = await world.storage.mailboxes.open(keyOf(bob), before);
      assert.deepEqual([opened.restarted, opened.after], [true, 0]);
      assert.notEqual(opened.incarnation, before.incarnation);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [1]);
    },
  },
  {
    name: 'a mailbox that empties resets nothing',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      await sendMany(world, ann, bob, 2);
      const at = await position(world.storage, keyOf(bob), 2);
      await world.storage.mailboxes.ack(keyOf(bob), at);
      await world.reopen();
      const { sequence, duplicate } = await accepted(world.storage, sending({ from: ann, to: [bob], n: 3 }));
      assert.deepEqual([sequence.number, duplicate], [3, false]);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [3]);
      assert.equal((await world.storage.mailboxes.open(keyOf(bob))).incarnation, at.incarnation);
      assert.equal((await accepted(world.storage, sending({ from: ann, to: [bob], n: 1 }))).duplicate, true);
    },
  },
  {
    name: 'opening the mailbox of a device that never had mail is repeatable',
    async run(world) {
      const ann = await enrol(world, 1);
      const first = await world.storage.mailboxes.open(keyOf(ann));
      assert.deepEqual([first.restarted, first.after, first.marks], [false, 0, []]);
      assert.match(first.incarnation, /^[\w-]{11}$/);
      assert.deepEqual(await world.storage.mailboxes.open(keyOf(ann)), first);
      const other = await world.storage.mailboxes.open({ ...keyOf(ann), addedIn: 7 });
      assert.notEqual(other.incarnation, first.incarnation);
    },
  },
  {
    name: 'entries go 24 hours after their commit, read or not, and leave a mark',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      await sendMany(world, ann, bob, 3);
      world.runtime.advance(1_000);
      await sendMany(world, ann, bob, 1, 4);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [1, 2, 3, 4]);
      world.runtime.advance(limits.mailboxTtlMs - 1_001);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [1, 2, 3, 4]);
      world.runtime.advance(1);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [4]);
      const marks = [{ from: 1, to: 3, count: 3, reason: 'expired' }];
      assert.deepEqual(await marksIn(world.storage, keyOf(bob)), marks);
      assert.deepEqual((await world.storage.mailboxes.open(keyOf(bob))).marks, marks);
      await world.reopen();
      assert.deepEqual(await marksIn(world.storage, keyOf(bob)), marks);
      world.runtime.advance(1_000);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), []);
      assert.deepEqual(await marksIn(world.storage, keyOf(bob)), [{ from: 1, to: 4, count: 4, reason: 'expired' }]);
    },
  },
  {
    name: 'a clock that was set back expires nothing early and keeps nothing for ever',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      await sendMany(world, ann, bob, 2);
      world.runtime.stepClock(-30 * limits.mailboxTtlMs);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [1, 2]);
      await sendMany(world, ann, bob, 1, 3);
      world.runtime.advance(limits.mailboxTtlMs - 1);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [1, 2, 3]);
      await world.reopen();
      world.runtime.advance(1);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), []);
    },
  },
  {
    name: 'a mark stays until it is acked past, and none is left for what was acked',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      await sendMany(world, ann, bob, 4);
      await ackUpTo(world.storage, keyOf(bob), 2);
      world.runtime.advance(limits.mailboxTtlMs);
      const mark = { from: 3, to: 4, count: 2, reason: 'expired' };
      assert.deepEqual(await marksIn(world.storage, keyOf(bob)), [mark]);
      await ackUpTo(world.storage, keyOf(bob), 3);
      assert.deepEqual(await marksIn(world.storage, keyOf(bob)), [mark]);
      assert.deepEqual(await marksIn(world.storage, keyOf(bob), 4), []);
      await ackUpTo(world.storage, keyOf(bob), 4);
      assert.deepEqual(await marksIn(world.storage, keyOf(bob)), []);
      assert.deepEqual((await world.storage.mailboxes.open(keyOf(bob))).marks, []);
    },
  },
  {
    name: 'a full mailbox takes what comes and marks the oldest as over quota',
    limits: { mailboxMaxEntries: 4, mailboxShareOfOneSender: 1 },
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      await sendMany(world, ann, bob, 7);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [4, 5, 6, 7]);
      const mark = { from: 1, to: 3, count: 3, reason: 'over_quota' };
      assert.deepEqual(await marksIn(world.storage, keyOf(bob)), [mark]);
      await world.reopen();
      await sendMany(world, ann, bob, 1, 8);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [5, 6, 7, 8]);
      assert.deepEqual(await marksIn(world.storage, keyOf(bob)), [{ ...mark, to: 4, count: 4 }]);
      await ackUpTo(world.storage, keyOf(bob), 8);
      await sendMany(world, ann, bob, 4, 9);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [9, 10, 11, 12]);
      assert.deepEqual(await marksIn(world.storage, keyOf(bob)), []);
    },
  },
  {
    name: 'a mailbox is bounded by bytes as well, but keeps its newest entry',
    limits: { mailboxMaxBytes: 4_000, mailboxShareOfOneSender: 1 },
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      for (let n = 1; n <= 3; n++) {
        await accepted(world.storage, sending({ from: ann, to: [bob], n, text: 'x'.repeat(1_700) }));
      }
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [2, 3]);
      await accepted(world.storage, sending({ from: ann, to: [bob], n: 4, text: 'x'.repeat(6_000) }));
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [4]);
    },
  },
  {
    name: 'one sender account fills at most a quarter, beyond that its own oldest go',
    limits: { mailboxMaxEntries: 16 },
    async run(world) {
      const [ann, bob, cat] = [await enrol(world, 1, [1, 2]), await enrol(world, 2), await enrol(world, 3)];
      await accepted(world.storage, sending({ from: cat, to: [bob] }));
      await sendMany(world, ann, bob, 3);
      await accepted(world.storage, sending({ from: cat, to: [bob], n: 2 }));
      for (let n = 1; n <= 3; n++) await accepted(world.storage, sending({ from: ann, device: 2, to: [bob], n }));
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [1, 4, 5, 6, 7, 8]);
      assert.deepEqual(await marksIn(world.storage, keyOf(bob)), [{ from: 2, to: 3, count: 2, reason: 'over_quota' }]);
      await world.reopen();
      await sendMany(world, ann, bob, 2, 4);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [1, 5, 7, 8, 9, 10]);
    },
  },
  {
    name: 'marks stay few, and count every entry that went',
    limits: { mailboxMaxEntries: 8, marksPerMailbox: 8 },
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const others = await Promise.all([3, 4].map((n) => enrol(world, n)));
      for (let n = 1; n <= 30; n++) {
        await accepted(world.storage, sending({ from: ann, to: [bob], n }));
        await accepted(world.storage, sending({ from: others[n % 2]!, to: [bob], n, oldest: n }));
      }
      const left = await numbersIn(world.storage, keyOf(bob));
      const marks = await marksIn(world.storage, keyOf(bob));
      assert.ok(marks.length <= 8);
      assert.equal(left.length + marks.reduce((sum, { count }) => sum + count, 0), 60);
      const covered = (number: number) => marks.some(({ from, to }) => from <= number && number <= to);
      assert.deepEqual(
        range(1, 60).filter((number) => !covered(number) && !left.includes(number)),
        [],
      );
      assert.deepEqual(
        [...marks].sort((a, b) => a.from - b.from),
        marks,
      );
    },
  },
  {
    name: 'a device id that returns with another device has a mailbox of its own',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2, [1, 2])];
      await sendMany(world, ann, bob, 1);
      const old = keyOf(bob, 2);
      const before = await world.storage.mailboxes.open(old);
      const without = await relist(world, bob, [listed(1, 1)]);
      const again = await relist(world, without, [listed(1, 1), listed(2, 3, 1)]);
      const now = keyOf(again, 2);
      assert.deepEqual(await readAll(world.storage, now), []);
      assert.notEqual((await world.storage.mailboxes.open(now)).incarnation, before.incarnation);
      await sendMany(world, ann, again, 1, 2);
      assert.deepEqual(
        (await readAll(world.storage, now)).map(({ number }) => number),
        [1],
      );
      await world.storage.mailboxes.drop(old);
      await world.storage.mailboxes.drop(old);
      assert.deepEqual(await numbersIn(world.storage, old), []);
      assert.deepEqual(await numbersIn(world.storage, now), [1]);
    },
  },
  {
    name: 'a dropped mailbox is gone with its entries, and begins anew if it is opened',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      await sendMany(world, ann, bob, 3);
      const before = await position(world.storage, keyOf(bob), 1);
      await world.storage.mailboxes.drop(keyOf(bob));
      await world.reopen();
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), []);
      const opened = await world.storage.mailboxes.open(keyOf(bob), before);
      assert.deepEqual([opened.restarted, opened.after], [true, 0]);
      await sendMany(world, ann, bob, 1, 4);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [1]);
    },
  },
  {
    name: 'a listener is woken only when the entries can be read, and not after it left',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const seen: Promise<number[]>[] = [];
      const stop = world.storage.mailboxes.listen(keyOf(bob), () => {
        seen.push(numbersIn(world.storage, keyOf(bob)));
      });
      const others: number[] = [];
      const stopOther = world.storage.mailboxes.listen(keyOf(ann), () => void others.push(1));
      await sendMany(world, ann, bob, 1);
      await eventually(() => seen.length > 0);
      assert.deepEqual(await seen[0], [1]);
      stop();
      stop();
      const before = seen.length;
      await sendMany(world, ann, bob, 1, 2);
      await world.storage.mailboxes.read(keyOf(bob), 0, { entries: 1, bytes: 1 });
      assert.equal(seen.length, before);
      assert.deepEqual(others, []);
      stopOther();
    },
  },
  {
    name: 'an entry that a listener is brought is the one that is read there',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const { incarnation } = await world.storage.mailboxes.open(keyOf(bob));
      const brought: ArrivedEntry[] = [];
      let woken = 0;
      const stop = world.storage.mailboxes.listen(keyOf(bob), (entry) => {
        woken += 1;
        if (entry) brought.push(entry);
      });
      await sendMany(world, ann, bob, 3);
      await eventually(() => woken > 0);
      for (const { number, envelope, incarnation: of } of brought) {
        const max = { entries: 1, bytes: 1 };
        const { entries } = await world.storage.mailboxes.read(keyOf(bob), number - 1, max);
        const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');
        assert.deepEqual([entries[0]?.number, hex(entries[0]?.envelope), of], [number, hex(envelope), incarnation]);
      }
      stop();
    },
  },
  {
    name: 'a refused or repeated submit wakes nobody',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      await sendMany(world, ann, bob, 1);
      let woken = 0;
      const stop = world.storage.mailboxes.listen(keyOf(bob), () => {
        woken += 1;
      });
      await world.storage.mailboxes.submit(sending({ from: ann, to: [bob], n: 9, oldest: 2 }));
      await world.storage.mailboxes.submit(sending({ from: ann, to: [bob] }));
      await numbersIn(world.storage, keyOf(bob));
      assert.equal(woken, 0);
      stop();
    },
  },
  {
    name: 'a store that can write says so',
    async run(world) {
      await world.storage.mailboxes.check();
    },
  },
];

async function eventually(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000 && !condition(); turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(condition());
}
