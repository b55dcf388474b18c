import {
  deviceListHash,
  parseAccountId,
  readDeviceList,
  type DeviceList,
  type SignedDeviceList,
} from '@waxwing/protocol';
import { describe, expect, test } from 'vitest';
import { checkList, type ListCheck } from '../../../../client-core/src/sync/list-check.ts';
import { account, crypto, device, first, sign } from './signed-lists.ts';

const other = parseAccountId('22222222-0000-4000-8000-000000000002');
const [second, foreign] = [crypto.createIdentity(), crypto.createIdentity()];
const kept = (signed: SignedDeviceList) => ({ signed, list: readDeviceList(signed) });
const check = (before: SignedDeviceList | undefined, next: SignedDeviceList, of = account): ListCheck =>
  checkList(before && kept(before), next, of, (key, message, signature) =>
    crypto.verifyIdentity(key, message, signature),
  );
const refusal = (result: ListCheck): string | undefined => (result.type === 'refused' ? result.what : undefined);

const one = sign({});
const two = sign({ version: 2, previousHash: deviceListHash(one), devices: [device(1, 1), device(2, 2)] });
const rotated = sign({ version: 2, previousHash: deviceListHash(one), identityGeneration: 2 }, second, first);
const ahead = { version: 5, previousHash: new Uint8Array(32) };

describe('a list', () => {
  test('that is the first of its account is taken if its own key signed it', () => {
    expect(check(undefined, one)).toMatchObject({ type: 'newer', identityChanged: false });
    expect(check(undefined, sign(ahead))).toMatchObject({ type: 'newer' });
    const forged = { ...one, signature: one.signature.map((byte) => byte ^ 1) };
    expect(refusal(check(undefined, forged))).toMatch(/signature/);
    expect(refusal(check(undefined, sign({ identityKey: second.publicKey })))).toMatch(/signature/);
  });

  test('of another account is refused, whoever signed it', () => {
    expect(refusal(check(undefined, one, other))).toMatch(/account/);
    expect(refusal(check(one, sign({ account: other, version: 2, previousHash: deviceListHash(one) })))).toMatch(
      /account/,
    );
  });

  test('that is known already is the same', () => {
    expect(check(one, one)).toEqual({ type: 'same' });
  });

  test('that is another under the same version is refused: a fork', () => {
    expect(refusal(check(one, sign({ devices: [device(9, 1)] })))).toBe('two lists of one version');
    expect(refusal(check(two, sign({ version: 2, previousHash: deviceListHash(one) })))).toBe(
      'two lists of one version',
    );
  });

  test('that is older is told apart, if it is a good one', () => {
    expect(check(two, one)).toEqual({ type: 'older', version: 1 });
    const forged = { ...one, signature: one.signature.map((byte) => byte ^ 1) };
    expect(refusal(check(two, forged))).toMatch(/signature/);
  });

  test('that follows is taken', () => {
    expect(check(one, two)).toMatchObject({ type: 'newer', identityChanged: false, list: { version: 2 } });
  });

  test('that follows another list than the one known is refused', () => {
    const fork = sign({ version: 2, previousHash: new Uint8Array(32).fill(9), devices: [device(1, 1)] });
    expect(refusal(check(one, fork))).toMatch(/previous hash/);
  });

  test('that changes what a device was is refused', () => {
    const change = (devices: DeviceList['devices']) => sign({ version: 2, previousHash: deviceListHash(one), devices });
    expect(refusal(check(one, change([{ ...device(1, 1), registrationId: 5 }])))).toMatch(/registration id/);
    expect(refusal(check(one, change([{ ...device(1, 1), authKey: new Uint8Array(32) }])))).toMatch(/auth key/);
    expect(refusal(check(one, change([device(1, 1), device(2, 1)])))).toMatch(/added in/);
  });

  test('with another key is taken if the key before signed it too, and tells of the change', () => {
    expect(check(one, rotated)).toMatchObject({
      type: 'newer',
      identityChanged: true,
      list: { identityGeneration: 2 },
    });
  });

  test.each([
    ['without a signature by the key before', { identityGeneration: 2 }, undefined],
    ['signed by a third key in its place', { identityGeneration: 2 }, foreign],
    ['with the same generation', { identityGeneration: 1 }, first],
  ] as const)('with another key %s is refused', (_name, list, before) => {
    const next = sign({ version: 2, previousHash: deviceListHash(one), ...list }, second, before);
    expect(check(one, next).type).toBe('refused');
  });

  test('further ahead is taken if the same key signed it', () => {
    expect(check(one, sign(ahead))).toMatchObject({ type: 'newer', identityChanged: false, list: { version: 5 } });
  });

  test('further ahead with another key is refused, unless the key that is known signed it', () => {
    const forged = { ...ahead, identityGeneration: 2 };
    expect(refusal(check(one, sign(forged, foreign)))).toBe('no signature by the key before');
    expect(refusal(check(one, sign(forged, foreign, second)))).toBe('no signature by the key before');
    expect(check(one, sign(forged, second, first))).toMatchObject({ type: 'newer', identityChanged: true });
  });

  test('further ahead whose generation does not go with its key is refused', () => {
    expect(refusal(check(one, sign({ ...ahead, identityGeneration: 2 })))).toBe('identity generation');
    expect(refusal(check(one, sign({ ...ahead, identityGeneration: 1 }, second, first)))).toBe('identity generation');
    const later = sign({ ...ahead, identityGeneration: 3 }, second, first);
    expect(refusal(check(later, sign({ ...ahead, version: 9, identityGeneration: 2 }, second)))).toBe(
      'identity generation',
    );
  });

  test('that is no list is refused, and a bug of the verifier is not hidden', () => {
    const garbage = { bytes: Buffer.from('garbage'), signature: new Uint8Array(64) };
    expect(check(one, garbage).type).toBe('refused');
    const broken = () => {
      throw new RangeError('a bug');
    };
    expect(() => checkList(undefined, one, account, broken)).toThrow(RangeError);
  });
});
