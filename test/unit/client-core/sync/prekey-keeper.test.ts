import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits, parseAccountId, parseDeviceId, type PrekeyCountJson, type PrekeysJson } from '@waxwing/protocol';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EventHub } from '../../../../client-core/src/events.ts';
import { openStore, type Store } from '../../../../client-core/src/history/store.ts';
import type { CryptoKind } from '../../../../client-core/src/session/crypto.ts';
import { createLibsignalCrypto } from '../../../../client-core/src/session/libsignal-crypto.ts';
import { UnitOfWork } from '../../../../client-core/src/session/unit-of-work.ts';
import type { SyncContext } from '../../../../client-core/src/sync/context.ts';
import { PrekeyKeeper } from '../../../../client-core/src/sync/prekey-keeper.ts';
import type { KeyserverClient } from '../../../../client-core/src/transport/keyserver-client.ts';
import { createManualRuntime, type ManualRuntime } from '../../../kit/src/manual-runtime.ts';

const DAY = 86_400_000;
const KEY = new Uint8Array(32).fill(5);
type Answer = { ok: true } | { ok: false; code: string } | 'never';

let runtime: ManualRuntime;
let path: string;
let store: Store;
let keeper: PrekeyKeeper;
/** What the server was sent, and how it answers. */
let puts: PrekeysJson[];
let answer: () => Answer;
let oneTimeKeys: number;
/** Where the kinds differ. */
let counts: PrekeyCountJson | undefined;

beforeEach(() => {
  runtime = createManualRuntime();
  [puts, answer, oneTimeKeys, counts] = [[], () => ({ ok: true }), 100, undefined];
  path = join(mkdtempSync(join(tmpdir(), 'waxwing-prekeys-')), 'device.db');
  store = openStore(path, KEY, { create: true });
  const crypto = createLibsignalCrypto(runtime.randomBytes);
  const { keyPair, publicKey } = crypto.createIdentity();
  const address = {
    account: parseAccountId('11111111-0000-4000-8000-000000000001'),
    device: parseDeviceId(1),
  };
  const local = { address, registrationId: 5, identityKeyPair: keyPair };
  store.transaction(() => {
    store.device.insert({
      ...address,
      server: 'http://relay.test',
      registrationId: 5,
      identityKeyPair: keyPair,
      identityPublicKey: publicKey,
      authSecretKey: new Uint8Array(64),
      username: null,
      registration: new Uint8Array(0),
      nextPrekeyId: 100,
      repeatedKeysAtMs: runtime.clock.now(),
    });
    store.crypto.write(crypto.createRepeatedKeys(local, 1, runtime.clock.now()).changes);
  });
  begin();
});
afterEach(async () => {
  await keeper.stop();
  store.close();
});

/** A process begins on the file. */
function begin(): void {
  const crypto = createLibsignalCrypto(runtime.randomBytes);
  const device = store.device.get();
  if (!device) throw new Error('no device');
  const local = {
    address: { account: device.account, device: device.device },
    registrationId: device.registrationId,
    identityKeyPair: device.identityKeyPair,
  };
  const { clock, timers } = runtime;
  const context = { store, work: new UnitOfWork(store), crypto, local, clock, timers, events: new EventHub() };
  const keyserver = {
    prekeyCount: () => Promise.resolve({ ok: true, value: counts ?? { oneTimeKeys, oneTimeKyberKeys: oneTimeKeys } }),
    putPrekeys(keys: PrekeysJson) {
      puts.push(keys);
      const given = answer();
      return given === 'never' ? new Promise(() => undefined) : Promise.resolve(given);
    },
  } as unknown as KeyserverClient;
  keeper = new PrekeyKeeper(context as unknown as SyncContext, keyserver);
}

/** As after kill -9: what was committed is there, and nothing else. */
function crash(): void {
  store.close();
  store = openStore(path, KEY, { create: false });
  begin();
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function connect(): Promise<void> {
  keeper.topUp();
  await settle();
}

async function pass(days: number): Promise<void> {
  for (let left = days; left > 0; left -= 0.5) {
    runtime.advance(Math.min(left, 0.5) * DAY);
    await settle();
  }
}

const has = (kind: CryptoKind, key: string | number): boolean => store.crypto.get(kind, String(key)) !== undefined;
const isReadable = (pair: number): boolean => has('signed_prekey', pair) && has('kyber_prekey', pair);
const pairs = (): (number | undefined)[] => puts.map(({ signedPrekey }) => signedPrekey?.id);

describe('the signed prekey and the last-resort key', () => {
  test('are replaced together after seven days, at a connection or without one, and at no other', async () => {
    for (let connection = 0; connection < 5; connection += 1) await connect();
    await pass(6.5);
    expect(puts).toEqual([]);
    await pass(1);
    expect(puts).toHaveLength(1);
    expect(puts[0]?.lastResortKyber?.id).toBe(puts[0]?.signedPrekey?.id);
    expect(puts[0]?.oneTimeKeys).toBeUndefined();
    for (let connection = 0; connection < 5; connection += 1) await connect();
    await pass(6.5);
    expect(puts).toHaveLength(1);
    await pass(14);
    expect(new Set(pairs()).size).toBe(3);
  });

  test('that were replaced are kept for 30 days, and then gone with the base keys that they are remembered for', async () => {
    const mark = (...keys: string[]) =>
      store.transaction(() => {
        store.crypto.write(keys.map((key) => ({ kind: 'used_base_key' as const, key, bytes: Uint8Array.of(1) })));
      });
    mark('1.1.aa', '1.100.bb', '10.1.cc', '100.1.dd', '0.1.ee');
    await connect();
    await pass(7);
    expect(pairs()).toEqual([100]);
    const replacedMs = runtime.clock.now();
    await pass(29);
    expect(isReadable(1)).toBe(true);
    expect(has('used_base_key', '1.1.aa')).toBe(true);
    await pass(2);
    expect(runtime.clock.now() - replacedMs).toBeLessThanOrEqual(31 * DAY);
    expect([has('signed_prekey', 1), has('kyber_prekey', 1)]).toEqual([false, false]);
    const left = ['1.1.aa', '1.100.bb', '10.1.cc', '100.1.dd', '0.1.ee'].filter((key) => has('used_base_key', key));
    expect(left).toEqual(['10.1.cc', '100.1.dd', '0.1.ee']);
    expect(isReadable(100)).toBe(true);
    await pass(60);
    expect(has('used_base_key', '100.1.dd')).toBe(false);
    // Of 98 days those of the last 30 are here, and the one that the last of them replaced.
    expect(pairs().filter((pair) => pair !== undefined && isReadable(pair)).length).toBeLessThanOrEqual(6);
    expect(isReadable(pairs().at(-1) ?? 0)).toBe(true);
  });

  test('count as replaced from when the server is known to have others, not from when those were made', async () => {
    answer = () => ({ ok: false, code: 'unreachable' });
    await connect();
    await pass(8);
    expect(puts.length).toBeGreaterThan(0);
    await pass(40);
    expect(isReadable(1)).toBe(true);
    answer = () => ({ ok: true });
    await pass(1);
    expect(isReadable(1)).toBe(true);
    await pass(31);
    expect(isReadable(1)).toBe(false);
  });

  test('of an upload that a crash ended before its answer are sent again as they were, and nothing is lost', async () => {
    answer = () => 'never';
    await connect();
    await pass(7.5);
    expect(puts).toHaveLength(1);
    crash();
    expect(isReadable(1)).toBe(true);
    expect(isReadable(100)).toBe(true);
    await connect();
    await pass(20);
    crash();
    answer = () => ({ ok: true });
    await connect();
    expect(puts[1]).toEqual(puts[0]);
    expect(puts[2]).toEqual(puts[0]);
    // They are three weeks old by now.
    expect(pairs()).toHaveLength(4);
    expect(isReadable(1) && isReadable(100)).toBe(true);
  });

  test.each(['bad_key', 'key_conflict', 'too_large'])(
    'that the server refuses with %s are not sent for ever: others are made, and those refused go in their time',
    async (code) => {
      answer = () => ({ ok: false, code });
      await connect();
      await pass(7.5);
      const [refused = 0] = pairs();
      await connect();
      expect(new Set(pairs()).size).toBe(pairs().length);
      answer = () => ({ ok: true });
      await pass(1);
      const last = pairs().at(-1) ?? 0;
      expect(last).toBeGreaterThan(refused);
      await pass(31);
      expect(isReadable(refused)).toBe(false);
      expect(isReadable(1)).toBe(false);
      expect(isReadable(last)).toBe(true);
    },
  );

  test('are not deleted early because a clock was set back, nor kept for ever', async () => {
    await connect();
    await pass(8);
    runtime.stepClock(-400 * DAY);
    await pass(29);
    expect(isReadable(1)).toBe(true);
    await pass(3);
    expect(isReadable(1)).toBe(false);
  });
});

test('one-time keys are made when they are low, in one upload with what else is due, and not otherwise', async () => {
  await connect();
  expect(puts).toEqual([]);
  oneTimeKeys = limits.prekeysLowBelow - 1;
  await connect();
  expect(puts[0]?.oneTimeKeys).toHaveLength(100);
  expect(puts[0]?.signedPrekey).toBeUndefined();
  oneTimeKeys = 0;
  await pass(7.5);
  const both = puts.filter(({ signedPrekey }) => signedPrekey !== undefined);
  expect(both).toHaveLength(1);
  expect(both[0]?.oneTimeKyberKeys).toHaveLength(100);
});

describe('one-time keys whose upload had no answer', () => {
  const sentIds = (): number[] => puts.flatMap((put) => put.oneTimeKeys?.map(({ id }) => id) ?? []);

  test.each(['in the process', 'after a crash'])('never leave again: others are made, %s', async (when) => {
    oneTimeKeys = 0;
    answer = () => (when === 'after a crash' ? 'never' : { ok: false, code: 'unreachable' });
    await connect();
    await pass(0.1);
    if (when === 'after a crash') crash();
    answer = () => ({ ok: true });
    await connect();
    expect(puts).toHaveLength(2);
    expect(sentIds()).toHaveLength(200);
    expect(new Set(sentIds()).size).toBe(200);
    for (const id of sentIds()) expect(has('prekey', id)).toBe(true);
  });

  test('are no others where the server turns out to have them', async () => {
    oneTimeKeys = 0;
    answer = () => ({ ok: false, code: 'unreachable' });
    await connect();
    oneTimeKeys = 100;
    for (let connection = 0; connection < 3; connection += 1) await connect();
    expect(puts).toHaveLength(1);
    // What is low later is another matter: it is made at once.
    answer = () => ({ ok: true });
    oneTimeKeys = 0;
    await connect();
    expect(puts).toHaveLength(2);
  });

  test('are followed by others after ever longer waits, over restarts too, and the repeated keys beside them at once', async () => {
    oneTimeKeys = 0;
    answer = () => ({ ok: false, code: 'unreachable' });
    for (let connection = 0; connection < 50; connection += 1) {
      await connect();
      if (connection % 10 > 0) continue;
      await keeper.stop();
      crash();
    }
    expect(sentIds()).toHaveLength(200);
    await pass(6.5);
    expect(sentIds().length).toBeGreaterThan(600);
    expect(sentIds().length).toBeLessThanOrEqual(1_300);
    expect(new Set(sentIds()).size).toBe(sentIds().length);
    answer = () => ({ ok: true });
    await pass(1.5);
    expect(new Set(pairs()).size).toBe(2);
  });
});

test.each(['rate_limited', 'store_full'])(
  'one-time keys that were refused with %s leave nothing behind, and no wait before others',
  async (code) => {
    oneTimeKeys = 0;
    answer = () => ({ ok: false, code });
    for (let connection = 0; connection < 5; connection += 1) await connect();
    expect(puts).toHaveLength(5);
    const ids = puts.flatMap((put) => put.oneTimeKeys?.map(({ id }) => id) ?? []);
    expect(ids.filter((id) => has('prekey', id) || has('kyber_prekey', id))).toEqual([]);
    answer = () => ({ ok: true });
    await connect();
    expect(puts).toHaveLength(6);
    expect(puts.at(-1)?.oneTimeKeys?.every(({ id }) => has('prekey', id))).toBe(true);
  },
);

test('one-time keys that a proxy answered for are kept: the server may have taken them', async () => {
  oneTimeKeys = 0;
  answer = () => ({ ok: false, code: 'unavailable' });
  for (let connection = 0; connection < 5; connection += 1) await connect();
  const ids = puts.flatMap((put) => put.oneTimeKeys?.map(({ id }) => id) ?? []);
  expect(ids).toHaveLength(200);
  expect(ids.every((id) => has('prekey', id) && has('kyber_prekey', id))).toBe(true);
});

test('a keyserver that counts more keys than there may be has none made, and steps no id back', async () => {
  const before = store.device.get()?.nextPrekeyId;
  counts = { oneTimeKeys: 0, oneTimeKyberKeys: 4_294_967_295 };
  await connect();
  expect(puts).toEqual([]);
  expect(store.device.get()?.nextPrekeyId).toBe(before);
});

test('a keeper that is stopped has no timer left', async () => {
  await connect();
  expect(runtime.timersSet).toBe(1);
  await keeper.stop();
  expect(runtime.timersSet).toBe(0);
  keeper.topUp();
  await settle();
  expect(runtime.timersSet).toBe(0);
});
