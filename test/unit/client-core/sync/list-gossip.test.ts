import { parseAccountId, parseDeviceId, sha256, type Frame } from '@waxwing/protocol';
import { beforeEach, expect, test } from 'vitest';
import type { KeptList } from '../../../../client-core/src/history/device-lists.ts';
import type { Store } from '../../../../client-core/src/history/store.ts';
import { splitList, takeListClaim } from '../../../../client-core/src/sync/list-gossip.ts';
import type { Placing } from '../../../../client-core/src/sync/placing.ts';

const account = parseAccountId('11111111-0000-4000-8000-000000000001');
const kept = { list: { version: 1 } } as unknown as KeptList;
let alarms: string[];
let claims: Map<string, Frame['list']>;

beforeEach(() => {
  alarms = [];
  claims = new Map();
});

function take(version: number, hash: string): boolean {
  const store = {
    lists: {
      claim: () => claims.get(account),
      keepClaim: (_account: string, claim: Frame['list']) => claims.set(account, claim),
    },
  } as unknown as Store;
  const placing = { alarm: ({ what }: { what: string }) => alarms.push(what) } as unknown as Placing;
  const sender = { account, device: parseDeviceId(1) };
  const list = { version, hashPrefix: sha256(hash).subarray(0, 8) };
  return takeListClaim(store, kept, { sender, list } as Frame, placing);
}

test('two newer lists of one version are found out before either is here', () => {
  expect(take(3, 'one')).toBe(true);
  expect(take(3, 'one')).toBe(true);
  expect(alarms).toEqual([]);
  expect(take(3, 'other')).toBe(true);
  expect(alarms).toEqual([splitList]);
  expect(take(2, 'earlier')).toBe(true);
  expect(claims.get(account)?.version).toBe(3);
});

test('of an account whose list is not known nothing is compared', () => {
  const store = {} as Store;
  const sender = { account, device: parseDeviceId(1) };
  const frame = { sender, list: { version: 1, hashPrefix: new Uint8Array(8) } } as Frame;
  expect(takeListClaim(store, undefined, frame, {} as unknown as Placing)).toBe(false);
});
