import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits, parseAccountId, parseDeviceId } from '@waxwing/protocol';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore, type Store } from '../../../../client-core/src/history/store.ts';

const account = parseAccountId('00000000-0000-4000-8000-000000000001');
const sender = { account, device: parseDeviceId(1) };
let store: Store;
beforeEach(() => {
  const path = join(mkdtempSync(join(tmpdir(), 'waxwing-held-')), 'device.db');
  store = openStore(path, new Uint8Array(32).fill(1), { create: true });
});
afterEach(() => store.close());

function keep(count: number, bytes: number, atMs = 1_000): void {
  store.transaction(() => {
    for (let each = 0; each < count; each += 1) {
      const hash = Buffer.alloc(32).fill(`${atMs}.${bytes}.${each}.`);
      store.held.keep(sender, 'undecryptable', hash, new Uint8Array(bytes), atMs);
    }
    store.held.age(0);
  });
}

function sizes(): number[] {
  const all: number[] = [];
  for (let some = store.held.of(account); some.length > 0; some = store.held.of(account, some.at(-1)?.id)) {
    all.push(...some.map(({ envelope }) => envelope.length));
  }
  return all;
}

test('what cannot be read is kept up to a count, the newest of it', () => {
  keep(1, 7);
  keep(limits.heldMaxEntries - 1, 8);
  expect(sizes()).toHaveLength(limits.heldMaxEntries);
  keep(1, 9);
  expect(sizes()).toHaveLength(limits.heldMaxEntries);
  expect([sizes()[0], sizes().at(-1)]).toEqual([8, 9]);
});

test('and up to so many bytes', () => {
  const [bytes, some] = [65_536, limits.heldMaxBytes / 65_536];
  keep(1, 7);
  keep(some, bytes);
  expect(sizes()).toHaveLength(some);
  expect(sizes()).not.toContain(7);
});

test('and for so long', () => {
  keep(1, 7, 1_000);
  keep(1, 8, 2_000);
  store.transaction(() => store.held.age(2_000));
  expect(sizes()).toEqual([8]);
});
