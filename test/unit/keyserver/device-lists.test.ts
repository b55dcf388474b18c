import { randomUUID } from 'node:crypto';
import { IdentityKeyPair } from '@signalapp/libsignal-client';
import { deviceListHash, type BundlesJson, type DeviceList, type SignedDeviceList } from '@waxwing/protocol';
import { StoreFullError } from '@waxwing/storage';
import { beforeEach, describe, expect, test } from 'vitest';
import { createFixture, createFixtureOver, problemOf, type Ask, type Fixture } from './keyserver-fixture.ts';
import {
  createDevice,
  createPerson,
  forgeList,
  listText,
  prekeys,
  signList,
  type Person,
  type TestDevice,
} from './person.ts';

const PATH = '/v1/device-list';

let f: Fixture;
let alice: Person;
let second: TestDevice;
beforeEach(async () => {
  f = await createFixture();
  alice = await f.person();
  second = createDevice(2, 2);
});

/** The list that follows the person's first, with the given changes. */
function next(person: Person, changes: Partial<DeviceList> = {}, identity = person.identity): SignedDeviceList {
  const list = { ...person.list, version: 2, previousHash: deviceListHash(person.signed), ...changes };
  return signList(identity, list, identity === person.identity ? undefined : person.identity);
}
const withSecond = () => next(alice, { devices: [alice.device.listed, second.listed] });
const put = (person: Person, signed: SignedDeviceList, options?: Ask) =>
  f.ask(person, 'PUT', PATH, { deviceList: listText(signed) }, options);
const stored = async () => (await f.storage.directory.deviceList(alice.account))!.list;
const keyOf = (device: TestDevice) => ({
  account: alice.account,
  device: device.listed.device,
  addedIn: device.listed.addedIn,
});

describe('GET /v1/accounts/:id/device-list', () => {
  test('gives any device the signed bytes as they were put', async () => {
    const bob = await f.person();
    for (const id of [alice.account, alice.account.toUpperCase()]) {
      const answer = await f.ask(bob, 'GET', `/v1/accounts/${id}/device-list`);
      expect(answer.json()).toEqual({ deviceList: listText(alice.signed) });
    }
  });

  test('of an account that does not exist is not found', async () => {
    const answer = await f.ask(alice, 'GET', `/v1/accounts/${randomUUID()}/device-list`);
    expect(problemOf(answer)).toEqual({ status: 404, code: 'not_found' });
  });

  test('without a token is refused, whether the account exists or not', async () => {
    for (const id of [alice.account, randomUUID()]) {
      const answer = await f.open('GET', `/v1/accounts/${id}/device-list`);
      expect(problemOf(answer)).toEqual({ status: 401, code: 'token_missing' });
    }
  });
});

describe('PUT /v1/device-list', () => {
  test('adds a device, which can then publish and be asked for', async () => {
    expect((await put(alice, withSecond())).statusCode).toBe(204);
    expect((await stored()).devices).toHaveLength(2);
    expect((await f.ask(alice, 'PUT', '/v1/prekeys', prekeys(alice.identity), { device: second })).statusCode).toBe(
      204,
    );
    const bob = await f.person();
    const answer = await f.ask(bob, 'POST', '/v1/bundles', { accounts: [alice.account] });
    expect(answer.json<BundlesJson>().bundles[0]!.devices.map(({ device }) => device)).toEqual([1, 2]);
  });

  test('a listed device that has not published yet is left out of bundles', async () => {
    await put(alice, withSecond());
    const answer = await f.ask(alice, 'POST', '/v1/bundles', { accounts: [alice.account] });
    expect(answer.json<BundlesJson>().bundles[0]!.devices.map(({ device }) => device)).toEqual([1]);
  });

  test('a repeat changes nothing and succeeds', async () => {
    const signed = withSecond();
    await put(alice, signed);
    const before = f.stored();
    expect((await put(alice, signed)).statusCode).toBe(204);
    expect(f.stored()).toBe(before);
  });

  test('of two successors one is stored and the other is stale', async () => {
    const lists = [withSecond(), next(alice, { createdAtMs: 1 })];
    const answers = await Promise.all(lists.map((signed) => put(alice, signed)));
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([204, 409]);
    expect(problemOf(answers.find(({ statusCode }) => statusCode === 409)!).code).toBe('stale_version');
  });

  test('an older list never comes back', async () => {
    await put(alice, withSecond());
    expect(problemOf(await put(alice, alice.signed))).toEqual({ status: 409, code: 'stale_version' });
    expect((await stored()).version).toBe(2);
  });

  const refused: [string, () => SignedDeviceList][] = [
    ['a version left out', () => next(alice, { version: 3 })],
    ['another previous hash', () => next(alice, { previousHash: new Uint8Array(32) })],
    [
      'a signature by another key',
      () =>
        signList(IdentityKeyPair.generate(), { ...alice.list, version: 2, previousHash: deviceListHash(alice.signed) }),
    ],
    [
      'another auth key for a listed device',
      () => next(alice, { devices: [{ ...alice.device.listed, authKey: new Uint8Array(32) }] }),
    ],
    [
      'another registration id for a listed device',
      () =>
        next(alice, {
          devices: [{ ...alice.device.listed, registrationId: (alice.device.listed.registrationId % 0x3fff) + 1 }],
        }),
    ],
    ['a new device that claims to be from version 1', () => next(alice, { devices: [createDevice(5, 1).listed] })],
    [
      'another identity key under the same generation',
      () => next(alice, { identityKey: createPerson().list.identityKey }),
    ],
    [
      'a new identity key that the old one did not sign',
      () => {
        const identity = IdentityKeyPair.generate();
        const list = { ...alice.list, version: 2, previousHash: deviceListHash(alice.signed), identityGeneration: 2 };
        return signList(identity, { ...list, identityKey: identity.publicKey.serialize() });
      },
    ],
  ];
  test.each(refused)('refuses %s', async (_name, make) => {
    const before = f.stored();
    expect(problemOf(await put(alice, make()))).toEqual({ status: 422, code: 'bad_device_list' });
    expect(f.stored()).toBe(before);
  });

  test("refuses another account's list", async () => {
    const bob = await f.person();
    expect(problemOf(await put(alice, next(bob)))).toEqual({ status: 422, code: 'bad_device_list' });
  });

  test("refuses another account's first list as what it is, not as a stale one", async () => {
    const bob = await f.person();
    expect(problemOf(await put(alice, bob.signed))).toEqual({ status: 422, code: 'bad_device_list' });
  });

  test('takes a new identity key that both keys signed', async () => {
    const identity = IdentityKeyPair.generate();
    const signed = next(alice, { identityKey: identity.publicKey.serialize(), identityGeneration: 2 }, identity);
    expect((await put(alice, signed)).statusCode).toBe(204);
    expect((await stored()).identityGeneration).toBe(2);
  });

  test('refuses a new identity key of small order, though it verifies', async () => {
    const list = { ...alice.list, version: 2, previousHash: deviceListHash(alice.signed), identityGeneration: 2 };
    expect(problemOf(await put(alice, forgeList(list, alice.identity)))).toEqual({ status: 422, code: 'bad_key' });
    expect((await stored()).version).toBe(1);
  });

  test('a list of the size limit passes the body limit', async () => {
    const encryptedName = new Uint8Array(60_000);
    const answer = await put(alice, next(alice, { devices: [{ ...alice.device.listed, encryptedName }] }));
    expect(answer.statusCode).toBe(204);
  });
});

describe('a removed device', () => {
  let third: SignedDeviceList;
  beforeEach(async () => {
    const both = withSecond();
    await put(alice, both);
    await f.ask(alice, 'PUT', '/v1/prekeys', prekeys(alice.identity), { device: second });
    await f.storage.directory.claimGeneration(keyOf(second), second.generations);
    third = signList(alice.identity, { ...alice.list, version: 3, previousHash: deviceListHash(both) });
  });

  test('loses prekeys, generation and mailbox, and its connection is told', async () => {
    const { incarnation } = await f.storage.mailboxes.open(keyOf(second));
    expect((await put(alice, third)).statusCode).toBe(204);
    expect(f.removed).toEqual([keyOf(second)]);
    expect(await f.storage.prekeys.repeated(keyOf(second))).toBeUndefined();
    expect(await f.storage.directory.holdsGeneration(keyOf(second), [])).toBe(true);
    expect((await f.storage.mailboxes.open(keyOf(second))).incarnation).not.toBe(incarnation);
  });

  test('is answered like a device that never was', async () => {
    await put(alice, third);
    const gone = await f.ask(alice, 'GET', '/v1/prekeys/count', undefined, { device: second });
    const never = await f.ask(alice, 'GET', '/v1/prekeys/count', undefined, { device: createDevice(9, 1) });
    expect(problemOf(gone)).toEqual({ status: 401, code: 'token_rejected' });
    expect(gone.body).toBe(never.body);
  });

  test('is dropped again when the list is repeated: a crash may have come between', async () => {
    await put(alice, third);
    const { incarnation } = await f.storage.mailboxes.open(keyOf(second));
    await put(alice, third);
    expect(f.removed).toEqual([keyOf(second), keyOf(second)]);
    expect((await f.storage.mailboxes.open(keyOf(second))).incarnation).not.toBe(incarnation);
  });

  test('may remove itself', async () => {
    expect((await put(alice, third, { device: second })).statusCode).toBe(204);
    expect(f.removed).toEqual([keyOf(second)]);
  });
});

test('a store that fails answers internal and retryable, and tells nothing of its cause', async () => {
  const failing = {
    ...f.storage,
    directory: { ...f.storage.directory, putDeviceList: () => Promise.reject(new Error('canary-of-the-store')) },
  };
  const g = await createFixtureOver(failing, f.runtime);
  const answer = await g.ask(alice, 'PUT', PATH, { deviceList: listText(withSecond()) });
  expect(problemOf(answer)).toEqual({ status: 500, code: 'internal' });
  expect(answer.headers['retry-after']).toBe('1');
  expect(answer.json<{ retryable: boolean }>().retryable).toBe(true);
  expect(answer.body + g.logged()).not.toContain('canary');
});

test('a store without room answers store_full, and says when to come again', async () => {
  const full = {
    ...f.storage,
    directory: { ...f.storage.directory, putDeviceList: () => Promise.reject(new StoreFullError()) },
  };
  const g = await createFixtureOver(full, f.runtime);
  const answer = await g.ask(alice, 'PUT', PATH, { deviceList: listText(withSecond()) });
  expect(problemOf(answer)).toEqual({ status: 503, code: 'store_full' });
  expect(answer.headers['retry-after']).toBe('1');
});
