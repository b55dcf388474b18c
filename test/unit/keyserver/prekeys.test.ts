import { createHash } from 'node:crypto';
import { IdentityKeyPair } from '@signalapp/libsignal-client';
import { deviceListHash, type RegisterJson } from '@waxwing/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { createFixture, problemOf, type Fixture } from './keyserver-fixture.ts';
import {
  createDevice,
  createPerson,
  ecKey,
  kyberKey,
  listText,
  prekeys,
  signedKey,
  signList,
  type Person,
} from './person.ts';

let f: Fixture;
let alice: Person;
beforeEach(async () => {
  f = await createFixture();
  alice = await f.person(2);
});

const put = (body: unknown) => f.ask(alice, 'PUT', '/v1/prekeys', body);
const count = async () => (await f.ask(alice, 'GET', '/v1/prekeys/count')).json<object>();

describe('PUT /v1/prekeys', () => {
  test('adds one-time keys and leaves the others as they are', async () => {
    const answer = await put({ oneTimeKeys: [ecKey(10)], oneTimeKyberKeys: [kyberKey(alice.identity, 10)] });
    expect([answer.statusCode, answer.body]).toEqual([204, '']);
    expect(await count()).toEqual({ oneTimeKeys: 3, oneTimeKyberKeys: 3 });
  });

  test('with nothing changes nothing', async () => {
    const before = f.stored();
    expect((await put({})).statusCode).toBe(204);
    expect(f.stored()).toBe(before);
  });

  test('a repeat changes nothing, also after a key was handed out', async () => {
    const body = { oneTimeKeys: [ecKey(10)] };
    await put(body);
    const bob = await f.person();
    for (let i = 0; i < 3; i++) {
      f.runtime.advance(1_000);
      await f.ask(bob, 'POST', '/v1/bundles', { accounts: [alice.account] });
    }
    expect(await count()).toMatchObject({ oneTimeKeys: 0 });
    expect((await put(body)).statusCode).toBe(204);
    expect(await count()).toMatchObject({ oneTimeKeys: 0 });
  });

  // "Prekey with … duplicate id with another key …: refused, nothing of that upload stored."
  test('an id that is taken by another key refuses the whole upload', async () => {
    const before = f.stored();
    const answer = await put({ signedPrekey: signedKey(alice.identity, 2), oneTimeKeys: [ecKey(50), ecKey(1)] });
    expect(problemOf(answer)).toEqual({ status: 409, code: 'key_conflict' });
    expect(f.stored()).toBe(before);
  });

  test.each([
    ['a signed prekey', () => ({ signedPrekey: signedKey(IdentityKeyPair.generate(), 2) })],
    ['a last-resort Kyber key', () => ({ lastResortKyber: kyberKey(IdentityKeyPair.generate(), 2) })],
    [
      'a one-time Kyber key',
      () => ({ oneTimeKeys: [ecKey(5)], oneTimeKyberKeys: [kyberKey(IdentityKeyPair.generate(), 5)] }),
    ],
  ])('%s signed by another identity refuses the whole upload', async (_name, make) => {
    const before = f.stored();
    expect(problemOf(await put(make()))).toEqual({ status: 422, code: 'bad_key' });
    expect(f.stored()).toBe(before);
  });

  test('beyond 200 one-time keys of a device refuses the whole upload', async () => {
    const keys = (from: number) => Array.from({ length: 99 }, (_, index) => ecKey(from + index));
    await put({ oneTimeKeys: keys(1_000) });
    expect((await put({ oneTimeKeys: keys(2_000) })).statusCode).toBe(204);
    expect(problemOf(await put({ oneTimeKeys: [ecKey(9_000)] }))).toEqual({ status: 413, code: 'too_large' });
    expect(await count()).toMatchObject({ oneTimeKeys: 200 });
  });

  test('the largest upload passes the body limit', async () => {
    expect((await put(prekeys(alice.identity, 100, 100))).statusCode).toBe(204);
  });

  test('the first upload of a device without signed prekey and last-resort Kyber key is refused', async () => {
    const device = createDevice(2, 2);
    const list = { ...alice.list, version: 2, previousHash: deviceListHash(alice.signed) };
    const signed = signList(alice.identity, { ...list, devices: [alice.device.listed, device.listed] });
    await f.ask(alice, 'PUT', '/v1/device-list', { deviceList: listText(signed) });
    const upload = (body: unknown) => f.ask(alice, 'PUT', '/v1/prekeys', body, { device });
    expect(problemOf(await upload({ oneTimeKeys: [ecKey(1)] }))).toEqual({ status: 400, code: 'malformed' });
    expect((await upload(prekeys(alice.identity))).statusCode).toBe(204);
    expect((await upload({ oneTimeKeys: [ecKey(9)] })).statusCode).toBe(204);
  });
});

describe('POST /v1/prekeys/check', () => {
  const digestOf = (identity: IdentityKeyPair, keys: RegisterJson['prekeys']): string => {
    const hash = createHash('sha256').update(identity.publicKey.serialize());
    for (const { id, publicKey } of [keys.signedPrekey, keys.lastResortKyber]) {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(id);
      hash.update(bytes).update(Buffer.from(publicKey, 'base64url'));
    }
    return hash.digest('base64url');
  };
  const check = (digest: string) => f.ask(alice, 'POST', '/v1/prekeys/check', { digest });

  test('says whether the server holds the keys that the device holds', async () => {
    const keys = prekeys(alice.identity, 1, 77);
    await put(keys);
    expect((await check(digestOf(alice.identity, keys))).json()).toEqual({ same: true });
    await put({ signedPrekey: signedKey(alice.identity, 2) });
    expect((await check(digestOf(alice.identity, keys))).json()).toEqual({ same: false });
  });

  test('of a device that never published is not the same', async () => {
    const person = createPerson();
    await f.storage.directory.register({
      list: { signed: Buffer.from(listText(person.signed), 'base64url'), list: person.list },
      prekeys: {},
    });
    const answer = await f.ask(person, 'POST', '/v1/prekeys/check', { digest: 'A'.repeat(43) });
    expect(answer.json()).toEqual({ same: false });
  });
});
