import assert from 'node:assert/strict';
import { limits } from '@waxwing/protocol';
import type { Case } from './contract.ts';
import { accountNumber, directing, enrol, keyOf, listed, messageNumber, recipient, relist } from './people.ts';
import { ackUpTo, numbersIn, readAll } from './reading.ts';

/** Direct submits: no number, deduplicated by each mailbox. */
export const directCases: readonly Case[] = [
  {
    name: 'a direct message reaches the devices that are named and no others',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1, [1, 2]), await enrol(world, 2, [1, 2])];
      const onlySecond = { ...recipient(bob, 'psst', 1) };
      const recipients = [onlySecond, recipient(ann, 'psst', 1)];
      assert.deepEqual(await world.storage.mailboxes.submitDirect(directing({ from: ann, recipients, attempt: 2 })), {
        type: 'accepted',
        duplicate: false,
        serverTimeMs: world.runtime.clock.now(),
      });
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob, 1)), []);
      const [entry] = await readAll(world.storage, keyOf(bob, 2));
      const { ciphertext, ...envelope } = entry!.envelope;
      assert.deepEqual([entry!.number, Buffer.from(ciphertext).toString()], [1, 'psst for 02.2']);
      assert.deepEqual(envelope, {
        type: 'direct',
        sender: { account: ann.account, device: 1 },
        messageId: messageNumber(1),
        serverTimeMs: world.runtime.clock.now(),
        visible: false,
        urgent: false,
        attempt: 2,
        ciphertextKind: 'session',
      });
      assert.deepEqual(await numbersIn(world.storage, keyOf(ann, 2)), [1]);
    },
  },
  {
    name: 'a repeated direct message is delivered once, whatever the attempt, also after it was acked',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const send = (attempt: number) =>
        world.storage.mailboxes.submitDirect(directing({ from: ann, recipients: [recipient(bob, 'x')], attempt }));
      const first = await send(1);
      world.runtime.advance(1_000);
      assert.deepEqual(await send(2), { ...first, duplicate: true });
      await ackUpTo(world.storage, keyOf(bob), 1);
      await world.reopen();
      world.runtime.advance(limits.directDedupeMs - 1_001);
      assert.deepEqual(await send(3), { ...first, duplicate: true });
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), []);
      world.runtime.advance(1);
      assert.deepEqual(await send(4), {
        type: 'accepted',
        duplicate: false,
        serverTimeMs: world.runtime.clock.now(),
      });
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [2]);
    },
  },
  {
    name: 'a retry that names more devices completes the rest',
    async run(world) {
      const [ann, bob, cat] = [await enrol(world, 1), await enrol(world, 2), await enrol(world, 3)];
      const { mailboxes } = world.storage;
      await mailboxes.submitDirect(directing({ from: ann, recipients: [recipient(bob, 'x')] }));
      const again = await mailboxes.submitDirect(
        directing({ from: ann, recipients: [recipient(bob, 'x'), recipient(cat, 'x')], attempt: 2 }),
      );
      assert.equal(again.type === 'accepted' && again.duplicate, false);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [1]);
      assert.deepEqual(await numbersIn(world.storage, keyOf(cat)), [1]);
    },
  },
  {
    name: 'the same message id of another sender device is another message',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1, [1, 2]), await enrol(world, 2)];
      for (const device of [1, 2]) {
        await world.storage.mailboxes.submitDirect(directing({ from: ann, device, recipients: [recipient(bob, 'x')] }));
      }
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [1, 2]);
    },
  },
  {
    name: 'a direct message to a device that is not listed as named is delivered to none',
    async run(world) {
      const [ann, bob, cat] = [await enrol(world, 1), await enrol(world, 2, [1, 2]), await enrol(world, 3)];
      await relist(world, bob, [listed(1, 1), listed(3, 2)]);
      const stale = recipient(cat, 'x').devices.map((device) => ({ ...device, registrationId: 9 }));
      const recipients = [recipient(bob, 'x'), { ...recipient(cat, 'x'), devices: stale }];
      assert.deepEqual(await world.storage.mailboxes.submitDirect(directing({ from: ann, recipients })), {
        type: 'mismatch',
        mismatches: [
          { account: bob.account, listVersion: 2, missing: [], extra: [2], stale: [] },
          { account: cat.account, listVersion: 1, missing: [], extra: [], stale: [1] },
        ],
      });
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob, 1)), []);
      const stranger = { ...recipient(bob, 'x'), account: accountNumber(77) };
      assert.deepEqual(await world.storage.mailboxes.submitDirect(directing({ from: ann, recipients: [stranger] })), {
        type: 'refused',
        code: 'unknown_recipient',
      });
    },
  },
  {
    name: 'direct messages expire after 24 hours and count for the quota like others',
    limits: { mailboxMaxEntries: 3, mailboxShareOfOneSender: 1 },
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      for (let id = 1; id <= 5; id++) {
        await world.storage.mailboxes.submitDirect(directing({ from: ann, recipients: [recipient(bob, 'x')], id }));
      }
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), [3, 4, 5]);
      world.runtime.advance(limits.mailboxTtlMs);
      assert.deepEqual(await numbersIn(world.storage, keyOf(bob)), []);
    },
  },
];
