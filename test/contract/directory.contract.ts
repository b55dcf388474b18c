import assert from 'node:assert/strict';
import { limits, sha256 } from '@waxwing/protocol';
import type { Case } from './contract.ts';
import { accountNumber, enrol, firstList, keyOf, listed, nextList, relist, somePrekeys } from './people.ts';

const name = (text: string): Uint8Array => sha256(`username ${text}`);
const token = (n: number): Uint8Array => new Uint8Array(16).fill(n);

/** Accounts, device lists, generations, usernames. */
export const directoryCases: readonly Case[] = [
  {
    name: 'registering is repeatable with the same bytes and refused with others',
    async run(world) {
      const { directory } = world.storage;
      const list = firstList(accountNumber(1));
      const account = { list, prekeys: somePrekeys, usernameHash: name('ann') };
      assert.equal(await directory.register(account), 'created');
      assert.equal(await directory.register(account), 'same');
      const other = firstList(accountNumber(1), [2]);
      assert.equal(await directory.register({ list: other, prekeys: somePrekeys }), 'account_exists');
      await world.reopen();
      assert.deepEqual(asPlain(await world.storage.directory.deviceList(accountNumber(1))), asPlain(list));
      assert.equal(await world.storage.directory.findUsername(name('ann')), accountNumber(1));
      assert.equal(await world.storage.directory.deviceList(accountNumber(2)), undefined);
    },
  },
  {
    name: 'registering under a taken username leaves nothing behind',
    async run(world) {
      const { directory, prekeys } = world.storage;
      await directory.register({ list: firstList(accountNumber(1)), prekeys: somePrekeys, usernameHash: name('ann') });
      const list = firstList(accountNumber(2));
      const answer = await directory.register({ list, prekeys: somePrekeys, usernameHash: name('ann') });
      assert.equal(answer, 'username_taken');
      assert.equal(await directory.deviceList(accountNumber(2)), undefined);
      assert.equal(await prekeys.repeated(keyOf({ account: accountNumber(2), list })), undefined);
      assert.equal(await directory.register({ list, prekeys: somePrekeys }), 'created');
    },
  },
  {
    name: 'registering with conflicting prekeys leaves nothing behind',
    async run(world) {
      const { directory } = world.storage;
      const list = firstList(accountNumber(1));
      const twice = [1, 2].map((salt) => ({ id: 5, publicKey: sha256(`key ${salt}`) }));
      const answer = await directory.register({
        list,
        prekeys: { ...somePrekeys, oneTimeKeys: twice },
        usernameHash: name('ann'),
      });
      assert.equal(answer, 'key_conflict');
      assert.equal(await directory.deviceList(accountNumber(1)), undefined);
      assert.equal(await directory.findUsername(name('ann')), undefined);
    },
  },
  {
    name: 'of several first registrations of one account one is created',
    async run(world) {
      const answers = await Promise.all(
        [[1], [2], [3]].map((devices) =>
          world.storage.directory.register({ list: firstList(accountNumber(1), devices), prekeys: somePrekeys }),
        ),
      );
      assert.deepEqual(answers.sort(), ['account_exists', 'account_exists', 'created']);
    },
  },
  {
    name: 'a device list is stored only as the next version, and one of several wins',
    async run(world) {
      const ann = await enrol(world, 1);
      const { directory } = world.storage;
      const rivals = [2, 3, 4].map((id) => nextList(ann.list, [listed(1, 1), listed(id, 2)]));
      const answers = await Promise.all(rivals.map((list) => directory.putDeviceList(list)));
      const stored = answers.flatMap(({ type }, index) => (type === 'stored' ? [index] : []));
      assert.equal(stored.length, 1);
      const winner = rivals[stored[0]!]!;
      assert.deepEqual(asPlain(await directory.deviceList(ann.account)), asPlain(winner));
      const third = nextList(winner, [listed(1, 1)]);
      const fourth = nextList(third, [listed(1, 1), listed(9, 4)]);
      assert.deepEqual(await directory.putDeviceList(fourth), { type: 'stale_version' });
      assert.deepEqual(await directory.putDeviceList(ann.list), { type: 'stale_version' });
      assert.deepEqual(await directory.putDeviceList(firstList(accountNumber(9))), { type: 'stale_version' });
      assert.equal((await directory.putDeviceList(third)).type, 'stored');
    },
  },
  {
    name: 'storing a list names the devices that left, the same each time it is repeated',
    async run(world) {
      const ann = await enrol(world, 1, [1, 2, 3]);
      const second = nextList(ann.list, [listed(1, 1), listed(2, 2, 1)]);
      const removed = [keyOf(ann, 2), keyOf(ann, 3)];
      assert.deepEqual(await world.storage.directory.putDeviceList(second), { type: 'stored', removed });
      assert.deepEqual(await world.storage.directory.putDeviceList(second), { type: 'stored', removed });
      await world.reopen();
      assert.deepEqual(await world.storage.directory.putDeviceList(second), { type: 'stored', removed });
    },
  },
  {
    name: 'generations and prekeys of a removed device go with it',
    async run(world) {
      const ann = await enrol(world, 1, [1, 2]);
      const [first, second] = [keyOf(ann, 1), keyOf(ann, 2)];
      for (const key of [first, second]) {
        await world.storage.directory.claimGeneration(key, [token(1)]);
        await world.storage.prekeys.publish(key, somePrekeys);
      }
      await relist(world, ann, [listed(1, 1)]);
      assert.equal(await world.storage.prekeys.repeated(second), undefined);
      assert.notEqual(await world.storage.prekeys.repeated(first), undefined);
      assert.equal(await world.storage.directory.holdsGeneration(second, [token(9)]), true);
      assert.equal(await world.storage.directory.holdsGeneration(first, [token(9)]), false);
    },
  },
  {
    name: 'of two copies of a device the second to connect is told, and stores nothing',
    async run(world) {
      const ann = await enrol(world, 1);
      const key = keyOf(ann);
      const { directory } = world.storage;
      assert.equal(await directory.holdsGeneration(key, [token(1)]), true);
      assert.equal(await directory.claimGeneration(key, [token(1)]), 'accepted');
      assert.equal(await directory.claimGeneration(key, [token(1), token(2)]), 'accepted');
      assert.equal(await directory.claimGeneration(key, [token(1), token(3)]), 'cloned');
      assert.equal(await directory.holdsGeneration(key, [token(1), token(3)]), false);
      assert.equal(await directory.holdsGeneration(key, [token(2)]), true);
      await world.reopen();
      assert.equal(await world.storage.directory.claimGeneration(key, [token(1), token(3)]), 'cloned');
      assert.equal(await world.storage.directory.claimGeneration(key, [token(1), token(2), token(4)]), 'accepted');
      assert.equal(await world.storage.directory.claimGeneration({ ...key, addedIn: 8 }, [token(7)]), 'accepted');
    },
  },
  {
    name: 'a restored directory holds no generation against a device, and guards from the next on',
    async run(world) {
      const key = keyOf(await enrol(world, 1));
      await world.storage.directory.claimGeneration(key, [token(1)]);
      const backup = await world.backup();
      await world.storage.directory.claimGeneration(key, [token(1), token(2)]);
      await world.reopen({ backup, restored: true });
      const { directory } = world.storage;
      assert.equal(await directory.holdsGeneration(key, [token(2), token(3)]), true);
      assert.equal(await directory.claimGeneration(key, [token(2), token(3)]), 'accepted');
      assert.equal(await directory.claimGeneration(key, [token(2), token(4)]), 'cloned');
    },
  },
  {
    name: 'of copies that claim at the same time one is accepted',
    async run(world) {
      const key = keyOf(await enrol(world, 1));
      await world.storage.directory.claimGeneration(key, [token(1)]);
      const answers = await Promise.all(
        [2, 3, 4].map((n) => world.storage.directory.claimGeneration(key, [token(1), token(n)])),
      );
      assert.deepEqual(answers.sort(), ['accepted', 'cloned', 'cloned']);
    },
  },
  {
    name: 'a username belongs to one account, and giving it again is repeatable',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const { directory } = world.storage;
      assert.equal(await directory.findUsername(name('x')), undefined);
      assert.equal(await directory.setUsername(ann.account, name('x')), 'stored');
      assert.equal(await directory.setUsername(ann.account, name('x')), 'stored');
      assert.equal(await directory.setUsername(bob.account, name('x')), 'username_taken');
      assert.equal(await directory.findUsername(name('x')), ann.account);
      await world.reopen();
      assert.equal(await world.storage.directory.findUsername(name('x')), ann.account);
    },
  },
  {
    name: 'a username that was given up rests, but not for the account that gave it up',
    async run(world) {
      const [ann, bob] = [await enrol(world, 1), await enrol(world, 2)];
      const { directory } = world.storage;
      await directory.setUsername(ann.account, name('x'));
      await directory.setUsername(ann.account, name('y'));
      assert.equal(await directory.findUsername(name('x')), undefined);
      assert.equal(await directory.findUsername(name('y')), ann.account);
      assert.equal(await directory.setUsername(bob.account, name('x')), 'username_taken');
      assert.equal(await directory.setUsername(ann.account, name('x')), 'stored');
      await directory.removeUsername(ann.account);
      await directory.removeUsername(ann.account);
      assert.equal(await directory.findUsername(name('x')), undefined);
      world.runtime.advance(limits.usernameRestMs - 1);
      assert.equal(await directory.setUsername(bob.account, name('x')), 'username_taken');
      world.runtime.advance(1);
      assert.equal(await directory.setUsername(bob.account, name('x')), 'stored');
      assert.equal(await directory.setUsername(ann.account, name('x')), 'username_taken');
      assert.equal(await directory.findUsername(name('x')), bob.account);
    },
  },
  {
    name: 'of accounts that ask for one username at the same time one gets it',
    async run(world) {
      const people = await Promise.all([1, 2, 3].map((n) => enrol(world, n)));
      const answers = await Promise.all(
        people.map(({ account }) => world.storage.directory.setUsername(account, name('x'))),
      );
      assert.deepEqual(answers.sort(), ['stored', 'username_taken', 'username_taken']);
    },
  },
];

/** Buffers and byte arrays with the same bytes compare as equal. */
function asPlain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, part: unknown) => {
      if (part instanceof Uint8Array) return Buffer.from(part).toString('hex');
      return isJsonBuffer(part) ? Buffer.from(part.data).toString('hex') : part;
    }),
  );
}

function isJsonBuffer(value: unknown): value is { type: 'Buffer'; data: number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value;
}
