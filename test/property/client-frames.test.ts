import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAccountId, parseDeviceId, parseHandle, sha256 } from '@waxwing/protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore, type Store } from '../../client-core/src/history/store.ts';

let store: Store;
beforeAll(() => {
  const path = join(mkdtempSync(join(tmpdir(), 'waxwing-frames-')), 'device.db');
  store = openStore(path, new Uint8Array(32).fill(1), { create: true });
});
afterAll(() => store.close());

test('the frames of a device that are missing within a range are those that a set misses', () => {
  const account = parseAccountId('00000000-0000-4000-8000-000000000001');
  const handle = parseHandle(Buffer.alloc(32, 1).toString('base64url'));
  const { conversation, other } = store.transaction(() => ({
    conversation: store.conversations.ensureDirect(account, 0).id,
    other: store.parties.ensure({ account, device: parseDeviceId(2) }, 1),
  }));
  const epoch = store.transaction(() => store.conversations.ensureEpoch(conversation, 2, handle).id);
  let device = 0;
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: 20 })),
      fc.nat({ max: 22 }),
      fc.nat({ max: 22 }),
      (held, a, b) => {
        device += 1;
        const party = store.transaction(() => {
          const made = store.parties.ensure({ account, device: parseDeviceId(1) }, device);
          for (const n of held) {
            store.frames.insertFrame(epoch, made, n, { hash: sha256('f'), ciphertextHash: null, stands: null });
          }
          return made;
        });
        const within = { from: Math.min(a, b), to: Math.max(a, b) };
        const numbers = store.frames
          .missingN(epoch, party, within)
          .flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, at) => from + at));
        const all = Array.from({ length: within.to - within.from + 1 }, (_, at) => within.from + at);
        expect(numbers).toEqual(all.filter((n) => !held.includes(n)));
        expect(store.frames.head(epoch, party)).toBe(Math.max(0, ...held));
        expect(store.frames.head(epoch, other)).toBe(0);
      },
    ),
  );
  expect(store.frames.missingN(epoch, other, { from: 1, to: 0 })).toEqual([]);
});
