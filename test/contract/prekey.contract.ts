import assert from 'node:assert/strict';
import { limits, sha256 } from '@waxwing/protocol';
import type { OneTimeKey, SignedKey, TakenKeys } from '@waxwing/storage';
import type { Case } from './contract.ts';
import { enrol, keyOf, somePrekeys } from './people.ts';

const ec = (id: number, salt = ''): OneTimeKey => ({ id, publicKey: sha256(`ec ${id} ${salt}`) });
const kyber = (id: number, salt = ''): SignedKey => ({
  id,
  publicKey: sha256(`kyber ${id} ${salt}`),
  signature: new Uint8Array(64).fill(id % 256),
});

function ids<T>(count: number, make: (id: number) => T, from = 1): T[] {
  return Array.from({ length: count }, (_, i) => make(from + i));
}

function same(a: SignedKey | OneTimeKey | undefined, b: SignedKey | OneTimeKey | undefined): void {
  const plain = (key: typeof a) => key && [key.id, Buffer.from(key.publicKey).toString('hex')];
  assert.deepEqual(plain(a), plain(b));
}

function insist(taken: TakenKeys | undefined): TakenKeys {
  if (taken === undefined) throw new Error('no keys');
  return taken;
}

/** Prekeys (I-5). */
export const prekeyCases: readonly Case[] = [
  {
    name: 'a device that never published has no keys',
    async run(world) {
      const key = { ...keyOf(await enrol(world, 1)), addedIn: 5 };
      assert.equal(await world.storage.prekeys.take(key, { oneTime: true }), undefined);
      assert.equal(await world.storage.prekeys.repeated(key), undefined);
      assert.deepEqual(await world.storage.prekeys.count(key), { oneTimeKeys: 0, oneTimeKyberKeys: 0 });
    },
  },
  {
    name: 'one-time keys are handed out once each under concurrency, then the last resort',
    async run(world) {
      const key = keyOf(await enrol(world, 1));
      const { prekeys } = world.storage;
      await prekeys.publish(key, { oneTimeKeys: ids(20, ec), oneTimeKyberKeys: ids(10, kyber) });
      const taken = await Promise.all(
        Array.from({ length: 30 }, () => prekeys.take(key, { oneTime: true }).then(insist)),
      );
      const oneTime = taken.flatMap(({ oneTimeKey }) => (oneTimeKey ? [oneTimeKey.id] : []));
      assert.deepEqual(
        oneTime.sort((a, b) => a - b),
        ids(20, (id) => id),
      );
      const lastResort = somePrekeys.lastResortKyber!;
      const isLast = (k: SignedKey) => Buffer.compare(k.publicKey, lastResort.publicKey) === 0;
      const kyberIds = taken.flatMap(({ kyberKey }) => (isLast(kyberKey) ? [] : [kyberKey.id]));
      assert.deepEqual(
        kyberIds.sort((a, b) => a - b),
        ids(10, (id) => id),
      );
      assert.equal(taken.filter(({ kyberKey }) => isLast(kyberKey)).length, 20);
      for (const { signedPrekey } of taken) same(signedPrekey, somePrekeys.signedPrekey);
      assert.deepEqual(await prekeys.count(key), { oneTimeKeys: 0, oneTimeKyberKeys: 0 });
    },
  },
  {
    name: 'a bundle without one-time keys takes none',
    async run(world) {
      const key = keyOf(await enrol(world, 1));
      const { prekeys } = world.storage;
      await prekeys.publish(key, { oneTimeKeys: ids(2, ec), oneTimeKyberKeys: ids(2, kyber) });
      const taken = insist(await prekeys.take(key, { oneTime: false }));
      assert.equal(taken.oneTimeKey, undefined);
      same(taken.kyberKey, somePrekeys.lastResortKyber);
      assert.deepEqual(await prekeys.count(key), { oneTimeKeys: 2, oneTimeKyberKeys: 2 });
    },
  },
  {
    name: 'what an upload leaves out stays, and what it names is replaced',
    async run(world) {
      const key = keyOf(await enrol(world, 1));
      const signedPrekey = { ...kyber(2), signature: new Uint8Array(64).fill(2) };
      assert.equal(await world.storage.prekeys.publish(key, { signedPrekey }), 'stored');
      await world.reopen();
      const repeated = await world.storage.prekeys.repeated(key);
      same(repeated?.signedPrekey, signedPrekey);
      assert.deepEqual(new Uint8Array(repeated!.signedPrekey.signature), signedPrekey.signature);
      same(repeated?.lastResortKyber, somePrekeys.lastResortKyber);
    },
  },
  {
    name: 'publishing again changes nothing, also after the keys were handed out',
    async run(world) {
      const key = keyOf(await enrol(world, 1));
      const upload = { oneTimeKeys: ids(3, ec), oneTimeKyberKeys: ids(3, kyber) };
      await world.storage.prekeys.publish(key, upload);
      const first = insist(await world.storage.prekeys.take(key, { oneTime: true }));
      await world.reopen();
      const { prekeys } = world.storage;
      assert.equal(await prekeys.publish(key, upload), 'stored');
      assert.deepEqual(await prekeys.count(key), { oneTimeKeys: 2, oneTimeKyberKeys: 2 });
      const rest = [
        insist(await prekeys.take(key, { oneTime: true })),
        insist(await prekeys.take(key, { oneTime: true })),
      ];
      assert.equal(new Set([first, ...rest].map(({ oneTimeKey }) => oneTimeKey?.id)).size, 3);
      assert.equal(await prekeys.publish(key, upload), 'stored');
      assert.deepEqual(await prekeys.count(key), { oneTimeKeys: 0, oneTimeKyberKeys: 0 });
    },
  },
  {
    name: 'an id with other bytes is a conflict, stores nothing of the upload, and counts per kind',
    async run(world) {
      const key = keyOf(await enrol(world, 1));
      const { prekeys } = world.storage;
      await prekeys.publish(key, { oneTimeKeys: ids(3, ec) });
      await prekeys.take(key, { oneTime: true });
      for (const id of [1, 2]) {
        const upload = { oneTimeKeys: [ec(9), ec(id, 'other')], signedPrekey: kyber(7), oneTimeKyberKeys: [kyber(8)] };
        assert.equal(await prekeys.publish(key, upload), 'key_conflict');
      }
      assert.deepEqual(await prekeys.count(key), { oneTimeKeys: 2, oneTimeKyberKeys: 0 });
      same((await prekeys.repeated(key))?.signedPrekey, somePrekeys.signedPrekey);
      assert.equal(await prekeys.publish(key, { oneTimeKyberKeys: ids(3, kyber) }), 'stored');
      assert.equal(await prekeys.publish(key, { oneTimeKyberKeys: [kyber(2, 'other')] }), 'key_conflict');
      assert.deepEqual(await prekeys.count(key), { oneTimeKeys: 2, oneTimeKyberKeys: 3 });
    },
  },
  {
    name: 'keys beyond the limit of a device are refused and the ones before stay',
    async run(world) {
      const key = keyOf(await enrol(world, 1));
      const { prekeys } = world.storage;
      const max = limits.oneTimeKeysPerDevice;
      assert.equal(await prekeys.publish(key, { oneTimeKeys: ids(max, ec) }), 'stored');
      assert.equal(await prekeys.publish(key, { oneTimeKeys: ids(max, ec) }), 'stored');
      assert.equal(
        await prekeys.publish(key, { oneTimeKeys: [ec(max + 1)], oneTimeKyberKeys: [kyber(1)] }),
        'too_many',
      );
      assert.deepEqual(await prekeys.count(key), { oneTimeKeys: max, oneTimeKyberKeys: 0 });
      await prekeys.take(key, { oneTime: true });
      assert.equal(await prekeys.publish(key, { oneTimeKeys: [ec(max + 1)] }), 'stored');
    },
  },
  {
    name: 'under another incarnation of the store one-time keys are dropped when first touched, and asked for anew',
    async run(world) {
      const [ann, bob] = [keyOf(await enrol(world, 1)), keyOf(await enrol(world, 2))];
      for (const key of [ann, bob]) {
        await world.storage.prekeys.publish(key, { oneTimeKeys: ids(5, ec), oneTimeKyberKeys: ids(5, kyber) });
      }
      await world.reopen({ restored: true });
      const taken = insist(await world.storage.prekeys.take(ann, { oneTime: true }));
      assert.equal(taken.oneTimeKey, undefined);
      same(taken.kyberKey, somePrekeys.lastResortKyber);
      same(taken.signedPrekey, somePrekeys.signedPrekey);
      const { prekeys } = world.storage;
      assert.deepEqual(await prekeys.count(bob), { oneTimeKeys: 0, oneTimeKyberKeys: 0 });
      assert.equal(await prekeys.publish(bob, { oneTimeKeys: ids(5, ec), oneTimeKyberKeys: ids(5, kyber) }), 'stored');
      assert.deepEqual(await prekeys.count(bob), { oneTimeKeys: 0, oneTimeKyberKeys: 0 });
      assert.equal(await prekeys.publish(bob, { oneTimeKeys: ids(5, ec, 6) }), 'stored');
      await world.reopen();
      assert.deepEqual(await world.storage.prekeys.count(bob), { oneTimeKeys: 5, oneTimeKyberKeys: 0 });
    },
  },
  {
    name: 'one-time keys are dropped when counters and mailboxes were lost, and stay when nothing was',
    async run(world) {
      const key = keyOf(await enrol(world, 1));
      await world.storage.prekeys.publish(key, { oneTimeKeys: ids(5, ec) });
      await world.reopen();
      assert.equal((await world.storage.prekeys.count(key)).oneTimeKeys, 5);
      await world.reopen({ loseRelay: true });
      assert.equal((await world.storage.prekeys.count(key)).oneTimeKeys, 0);
    },
  },
];
