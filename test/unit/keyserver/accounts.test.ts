import { IdentityKeyPair } from '@signalapp/libsignal-client';
import { beforeEach, describe, expect, test } from 'vitest';
import { createFixture, problemOf, type Fixture } from './keyserver-fixture.ts';
import {
  createDevice,
  createPerson,
  ecKey,
  forgePerson,
  kyberKey,
  registration,
  signedKey,
  signKey,
  signList,
  text,
  usernameOf,
  type Person,
} from './person.ts';

let f: Fixture;
beforeEach(async () => {
  f = await createFixture();
});

const register = (body: unknown, headers = {}) => f.open('POST', '/v1/accounts', body, headers);

/** Refused with this, and nothing of the account is stored. */
async function expectRefused(person: Person, body: unknown, status: number, code: string): Promise<void> {
  const before = f.stored();
  expect(problemOf(await register(body))).toEqual({ status, code });
  expect(f.stored()).toBe(before);
  expect(await f.storage.directory.deviceList(person.account)).toBeUndefined();
}

describe('POST /v1/accounts', () => {
  test('stores list, prekeys and username in one step', async () => {
    const person = createPerson();
    const answer = await register({ ...registration(person, 3), username: usernameOf('alice.01') });
    expect(answer.statusCode).toBe(201);
    expect(answer.json()).toEqual({ account: person.account, device: 1, listVersion: 1 });
    const device = { account: person.account, device: person.device.listed.device, addedIn: 1 };
    expect(await f.storage.prekeys.count(device)).toEqual({ oneTimeKeys: 3, oneTimeKyberKeys: 3 });
    const hash = Buffer.from(usernameOf('alice.01').hash, 'base64url');
    expect(await f.storage.directory.findUsername(hash)).toBe(person.account);
  });

  test('a repeat of the same list gives the same answer', async () => {
    const person = createPerson();
    const body = registration(person);
    const [first, second] = [await register(body), await register(body)];
    expect([second.statusCode, second.body]).toEqual([first.statusCode, first.body]);
  });

  test('the account id of another registration is refused', async () => {
    const person = await f.person();
    const other = createPerson({ account: person.account });
    expect(problemOf(await register(registration(other)))).toEqual({ status: 409, code: 'account_exists' });
  });

  test('a taken username refuses the whole registration', async () => {
    await register({ ...registration(createPerson()), username: usernameOf('alice.01') });
    const person = createPerson();
    await expectRefused(person, { ...registration(person), username: usernameOf('alice.01') }, 409, 'username_taken');
  });

  test('a username proof for another name refuses the whole registration', async () => {
    const person = createPerson();
    const username = { hash: usernameOf('alice.01').hash, proof: usernameOf('bob.01').proof };
    await expectRefused(person, { ...registration(person), username }, 422, 'bad_proof');
  });
});

describe('a first list is refused with', () => {
  const cases: [string, () => Person][] = [
    ['version 2', () => createPerson({ version: 2, previousHash: new Uint8Array(32) })],
    ['two devices', () => createPerson({ devices: [createDevice(1, 1).listed, createDevice(2, 1).listed] })],
    [
      'a signature by another key',
      () => {
        const person = createPerson();
        return { ...person, signed: signList(IdentityKeyPair.generate(), person.list) };
      },
    ],
    [
      'a signature under another purpose',
      () => {
        const person = createPerson();
        const signature = person.identity.privateKey.sign(new Uint8Array(person.signed.bytes));
        return { ...person, signed: { ...person.signed, signature } };
      },
    ],
    [
      'a signature by a key before the first',
      () => {
        const person = createPerson();
        return { ...person, signed: signList(person.identity, person.list, IdentityKeyPair.generate()) };
      },
    ],
  ];
  test.each(cases)('%s', async (_name, make) => {
    const person = make();
    await expectRefused(person, registration(person), 422, 'bad_device_list');
  });

  const malformed: [string, Parameters<typeof createPerson>[0]][] = [
    ['no device', { devices: [] }],
    ['a device added in version 2', { devices: [createDevice(1, 2).listed] }],
    ['an auth key of 31 bytes', { devices: [{ ...createDevice(1, 1).listed, authKey: new Uint8Array(31) }] }],
    ['identity generation 2', { identityGeneration: 2 }],
    ['registration id 0', { devices: [{ ...createDevice(1, 1).listed, registrationId: 0 }] }],
    ['an identity key with the top bit set', { identityKey: withTopBit(createPerson().list.identityKey) }],
    ['an identity key of 32 bytes', { identityKey: new Uint8Array(32) }],
  ];
  test.each(malformed)('%s', async (_name, changes) => {
    const person = createPerson(changes);
    await expectRefused(person, registration(person), 400, 'malformed');
  });

  test('an identity key of small order, whose signatures anybody can make', async () => {
    const person = forgePerson();
    await expectRefused(person, registration(person), 422, 'bad_key');
    const answer = await register(registration(person));
    expect(answer.json<{ detail: string }>().detail).toBe('identity key');
  });

  test('bytes that are no list', async () => {
    const person = createPerson();
    await expectRefused(person, { ...registration(person), deviceList: 'AAAA' }, 400, 'malformed');
  });
});

// "Prekey with a bad signature, wrong length, duplicate id with another key, a key with the top bit set: refused, nothing of that
// upload stored."
describe('an upload is refused as a whole with', () => {
  type Prekeys = ReturnType<typeof registration>['prekeys'];
  const forPerson = (person: Person, change: (keys: Prekeys) => unknown) => {
    const body = registration(person);
    return { ...body, prekeys: change(body.prekeys) };
  };
  const flip = (base64: string, at: number): string => {
    const bytes = Buffer.from(base64, 'base64url');
    bytes[at]! ^= 1;
    return text(bytes);
  };

  const bad: [string, string, number, (person: Person) => (keys: Prekeys) => unknown][] = [
    [
      'a signed prekey signed by another identity',
      'bad_key',
      422,
      () => (keys) => ({ ...keys, signedPrekey: signedKey(IdentityKeyPair.generate(), 1) }),
    ],
    [
      'a signature with a bit flipped on the last of the Kyber keys',
      'bad_key',
      422,
      () => (keys) => ({
        ...keys,
        oneTimeKyberKeys: keys.oneTimeKyberKeys.map((key, index, all) =>
          index === all.length - 1 ? { ...key, signature: flip(key.signature, 7) } : key,
        ),
      }),
    ],
    [
      'a last-resort Kyber key signed by another identity',
      'bad_key',
      422,
      () => (keys) => ({ ...keys, lastResortKyber: kyberKey(IdentityKeyPair.generate(), 9) }),
    ],
    [
      'a signature of 63 bytes',
      'bad_key',
      422,
      () => (keys) => ({
        ...keys,
        signedPrekey: { ...keys.signedPrekey, signature: text(Buffer.alloc(63, 1)) },
      }),
    ],
    [
      'a one-time key of 32 bytes',
      'bad_key',
      422,
      () => (keys) => ({ ...keys, oneTimeKeys: [ecKey(1), { id: 2, publicKey: text(Buffer.alloc(32, 5)) }] }),
    ],
    [
      'a one-time key of 34 bytes',
      'bad_key',
      422,
      () => (keys) => ({ ...keys, oneTimeKeys: [{ id: 2, publicKey: text(Buffer.alloc(34, 5)) }] }),
    ],
    [
      'a one-time key with the top bit set',
      'bad_key',
      422,
      () => (keys) => ({
        ...keys,
        oneTimeKeys: [{ id: 2, publicKey: text(withTopBit(Buffer.from(ecKey(2).publicKey, 'base64url'))) }],
      }),
    ],
    [
      'a signed prekey with the top bit set, well signed',
      'bad_key',
      422,
      (person) => (keys) => ({
        ...keys,
        signedPrekey: signKey(person.identity, 1, withTopBit(Buffer.from(ecKey(2).publicKey, 'base64url'))),
      }),
    ],
    [
      'a one-time key of small order',
      'bad_key',
      422,
      () => (keys) => ({ ...keys, oneTimeKeys: [{ id: 2, publicKey: text(Buffer.from([5, ...Buffer.alloc(32)])) }] }),
    ],
    [
      'an EC key where a Kyber key belongs, well signed',
      'bad_key',
      422,
      (person) => (keys) => ({ ...keys, oneTimeKyberKeys: [signedKey(person.identity, 3)] }),
    ],
    [
      'a Kyber key where the signed prekey belongs, well signed',
      'bad_key',
      422,
      (person) => (keys) => ({ ...keys, signedPrekey: kyberKey(person.identity, 3) }),
    ],
    [
      'a Kyber key with one byte more, well signed',
      'bad_key',
      422,
      (person) => (keys) => ({
        ...keys,
        lastResortKyber: signKey(
          person.identity,
          3,
          Buffer.concat([Buffer.from(kyberKey(person.identity, 3).publicKey, 'base64url'), Buffer.alloc(1)]),
        ),
      }),
    ],
    [
      'one id for two one-time keys',
      'key_conflict',
      409,
      () => (keys) => ({ ...keys, oneTimeKeys: [ecKey(1), ecKey(2), ecKey(1)] }),
    ],
    [
      'one one-time key twice',
      'key_conflict',
      409,
      () => (keys) => {
        const key = ecKey(1);
        return { ...keys, oneTimeKeys: [key, key] };
      },
    ],
    [
      'one id for two Kyber keys',
      'key_conflict',
      409,
      (person) => (keys) => ({
        ...keys,
        oneTimeKyberKeys: [kyberKey(person.identity, 4), kyberKey(person.identity, 4)],
      }),
    ],
    [
      'one id for the last-resort and a one-time Kyber key',
      'key_conflict',
      409,
      (person) => (keys) => ({ ...keys, oneTimeKyberKeys: [kyberKey(person.identity, keys.lastResortKyber.id)] }),
    ],
    [
      '101 one-time keys',
      'malformed',
      400,
      () => (keys) => ({ ...keys, oneTimeKeys: Array.from({ length: 101 }, (_, index) => ecKey(index + 1)) }),
    ],
    ['id 0', 'malformed', 400, () => (keys) => ({ ...keys, oneTimeKeys: [ecKey(0)] })],
    ['id 2^32', 'malformed', 400, () => (keys) => ({ ...keys, oneTimeKeys: [ecKey(2 ** 32)] })],
    ['id 1.5', 'malformed', 400, () => (keys) => ({ ...keys, oneTimeKeys: [ecKey(1.5)] })],
    ['an id as text', 'malformed', 400, () => (keys) => ({ ...keys, oneTimeKeys: [{ ...ecKey(1), id: '1' }] })],
    [
      'padded base64',
      'malformed',
      400,
      () => (keys) => ({ ...keys, oneTimeKeys: [{ id: 1, publicKey: `${ecKey(1).publicKey}=` }] }),
    ],
    [
      'base64url with bits behind its end',
      'malformed',
      400,
      () => (keys) => ({ ...keys, signedPrekey: { ...keys.signedPrekey, signature: `${'A'.repeat(85)}B` } }),
    ],
    ['a field that the schema does not have', 'malformed', 400, () => (keys) => ({ ...keys, more: 1 })],
    [
      'no last-resort Kyber key',
      'malformed',
      400,
      () =>
        ({ signedPrekey, oneTimeKeys, oneTimeKyberKeys }) => ({ signedPrekey, oneTimeKeys, oneTimeKyberKeys }),
    ],
  ];
  test.each(bad)('%s', async (_name, code, status, change) => {
    const person = createPerson();
    await expectRefused(person, forPerson(person, change(person)), status, code);
  });
});

describe('Idempotency-Key of a registration', () => {
  test('the same key and body give the same answer', async () => {
    const person = createPerson();
    const body = registration(person);
    const headers = { 'idempotency-key': 'one' };
    const [first, second] = await Promise.all([register(body, headers), register(body, headers)]);
    expect([second.statusCode, second.body]).toEqual([201, first.body]);
  });

  test('the same key with another body is a conflict, until the key is forgotten', async () => {
    const headers = { 'idempotency-key': 'one' };
    await register(registration(createPerson()), headers);
    const other = registration(createPerson());
    expect(problemOf(await register(other, headers))).toEqual({ status: 422, code: 'idempotency_conflict' });
    f.runtime.advance(60_000);
    expect((await register(other, headers)).statusCode).toBe(201);
  });

  test('a refused try leaves the key free', async () => {
    const headers = { 'idempotency-key': 'one' };
    await register(registration(createPerson({ version: 2, previousHash: new Uint8Array(32) })), headers);
    expect((await register(registration(createPerson()), headers)).statusCode).toBe(201);
  });

  test('a key over its length is refused', async () => {
    const answer = await register(registration(createPerson()), { 'idempotency-key': 'k'.repeat(129) });
    expect(problemOf(answer)).toEqual({ status: 400, code: 'malformed' });
  });
});

function withTopBit(key: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(key);
  changed[32]! |= 0x80;
  return changed;
}
