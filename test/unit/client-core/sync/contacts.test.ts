import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  deviceListHash,
  encodeSignedDeviceList,
  limits,
  parseAccountId,
  parseDeviceId,
  systemRuntime,
  type SignedDeviceList,
} from '@waxwing/protocol';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ChangeBus } from '../../../../client-core/src/bus.ts';
import { EventHub, type ClientEvent } from '../../../../client-core/src/events.ts';
import { openStore, type Store } from '../../../../client-core/src/history/store.ts';
import { Contacts } from '../../../../client-core/src/sync/contacts.ts';
import type { SyncContext } from '../../../../client-core/src/sync/context.ts';
import type { KeyserverClient } from '../../../../client-core/src/transport/keyserver-client.ts';
import { account, crypto, device, sign } from './signed-lists.ts';

const one = sign({});
const two = sign({ version: 2, previousHash: deviceListHash(one), devices: [device(1, 1), device(2, 2)] });

/** Questions that wait for an answer. */
let asked: ((list: SignedDeviceList) => void)[];
/** The keys of the questions for bundles, and what the next is answered with. */
let bundleKeys: string[];
let bundles: object;
let nowMs: number;
let alerts: string[];
let store: Store;
let contacts: Contacts;

beforeEach(() => {
  [asked, alerts, bundleKeys, nowMs] = [[], [], [], 1_000_000];
  const path = join(mkdtempSync(join(tmpdir(), 'waxwing-contacts-')), 'device.db');
  store = openStore(path, new Uint8Array(32).fill(1), { create: true });
  const keyserver = {
    deviceList: () =>
      new Promise((resolve) => {
        asked.push((list) => {
          const deviceList = Buffer.from(encodeSignedDeviceList(list)).toString('base64url');
          resolve({ ok: true, value: { deviceList } });
        });
      }),
    bundles(_accounts: unknown, key: string) {
      bundleKeys.push(key);
      return Promise.resolve(bundles);
    },
  } as unknown as KeyserverClient;
  const events = new EventHub();
  events.emit = (event: ClientEvent) => {
    if (event.type === 'securityAlert') alerts.push(event.what);
  };
  const local = {
    address: { account: parseAccountId('33333333-0000-4000-8000-000000000003'), device: parseDeviceId(1) },
  };
  const { randomBytes } = systemRuntime;
  const clock = { now: () => nowMs };
  const context = { store, crypto, local, events, bus: new ChangeBus(), clock, randomBytes } as unknown as SyncContext;
  contacts = new Contacts(context, keyserver, () => undefined);
});
afterEach(() => store.close());

test('an answer that a newer one has overtaken is no lie, and brings nothing back', async () => {
  const first = contacts.fetch(account);
  asked[0]?.(one);
  expect(await first).toBe('newer');
  const [slow, quick] = [contacts.fetch(account), contacts.fetch(account)];
  asked[2]?.(two);
  expect(await quick).toBe('newer');
  asked[1]?.(one);
  expect(await slow).toBe('same');
  expect(contacts.list(account)?.list.version).toBe(2);
  expect(alerts).toEqual([]);
});

test('an older list than the one that was known when it was asked for is refused, with an alert', async () => {
  const first = contacts.fetch(account);
  asked[0]?.(two);
  expect(await first).toBe('newer');
  const second = contacts.fetch(account);
  asked[1]?.(one);
  expect(await second).toBe('refused');
  expect(contacts.list(account)?.list.version).toBe(2);
  expect(alerts).toEqual(['device list refused: an older list']);
});

test('who has stopped asks nobody, and knows nobody that it did not know', async () => {
  expect(contacts.recipients(account)).toEqual([]);
  const waiting = contacts.fetch(account);
  contacts.stop();
  asked[0]?.(one);
  expect(await waiting).toBe('unreachable');
  expect(await contacts.fetch(account)).toBe('unreachable');
  expect((await contacts.fetchBundles(account)).fetched).toBe('unreachable');
  expect(asked).toHaveLength(1);
  expect(contacts.list(account)).toBeUndefined();
});

test('a list that the server keeps back is told of, when a device of the account has named it', async () => {
  const first = contacts.fetch(account);
  asked[0]?.(one);
  await first;
  store.transaction(() =>
    store.lists.keepClaim(account, { version: 2, hashPrefix: deviceListHash(two).subarray(0, 8) }),
  );
  const second = contacts.fetch(account);
  asked[1]?.(one);
  expect(await second).toBe('same');
  expect(alerts).toEqual(['device list withheld: an older one than its devices have']);
  const third = contacts.fetch(account);
  asked[2]?.(two);
  expect(await third).toBe('newer');
  const fourth = contacts.fetch(account);
  asked[3]?.(two);
  await fourth;
  expect(alerts).toHaveLength(1);
});

test('bundles are asked for again under the key of a question without an answer, and not before the server wants it', async () => {
  bundles = { ok: false, code: 'unreachable' };
  for (let ask = 0; ask < 2; ask += 1) await contacts.fetchBundles(account);
  expect(new Set(bundleKeys).size).toBe(1);
  bundles = { ok: false, code: 'rate_limited', retryAfterMs: 30_000 };
  await contacts.fetchBundles(account);
  expect(contacts.restMs(account)).toBe(30_000);
  nowMs += 29_999;
  await contacts.fetchBundles(account);
  expect(bundleKeys).toHaveLength(3);
  nowMs += 1;
  bundles = { ok: true, value: { bundles: [] } };
  expect((await contacts.fetchBundles(account)).fetched).toBe('missing');
  expect(new Set(bundleKeys).size).toBe(1);
  await contacts.fetchBundles(account);
  expect(new Set(bundleKeys).size).toBe(2);
});

test('a server that wants to be left alone for long, or a clock that was set back, is not waited for', async () => {
  bundles = { ok: false, code: 'rate_limited', retryAfterMs: 2 ** 40 };
  await contacts.fetchBundles(account);
  expect(contacts.restMs(account)).toBe(limits.retryAfterMaxMs);
  nowMs -= 1;
  expect(contacts.restMs(account)).toBe(0);
});

test('a clock that was set back by less than the longest rest is not waited for either', async () => {
  bundles = { ok: false, code: 'unreachable' };
  await contacts.fetchBundles(account);
  nowMs -= limits.retryAfterMaxMs / 2;
  await contacts.fetchBundles(account);
  expect(bundleKeys).toHaveLength(2);
});
