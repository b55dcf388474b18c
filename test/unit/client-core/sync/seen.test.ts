import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits, parseAccountId, parseDeviceId, parseEra, parseHandle, sha256 } from '@waxwing/protocol';
import { expect, test } from 'vitest';
import { openStore, type Store } from '../../../../client-core/src/history/store.ts';
import { judgeSeen, newestSeen, unheardOf } from '../../../../client-core/src/sync/seen.ts';
import { toldOf, type EpochView } from '../../../../client-core/src/sync/sequencer.ts';

const era = parseEra(5);
/** As the protocol says: each number as 8 bytes big-endian, then its frame's hash. */
function entry(number: number, text: string): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return Buffer.concat([bytes, sha256(text)]);
}
const entries = Buffer.concat([entry(7, '7'), entry(8, '8')]);
const claim = { era, from: 7, to: 8, hash: createHash('sha256').update(entries).digest() };
const view = (to: number): EpochView => ({
  start: { era, number: 1 },
  floor: { era, number: to },
  eras: [{ era, held: [{ from: 1, to }], holes: [] }],
});

test('a claim agrees with the same frames at the same numbers, and is open until all are held', () => {
  expect(judgeSeen(claim, entries)).toBe('agrees');
  expect(judgeSeen(claim, entries.subarray(40))).toBe('open');
  expect(judgeSeen(claim, Buffer.concat([entry(7, '7'), entry(8, 'other')]))).toBe('contradicts');
});

test('a device tells of its newest run, and of nothing where a place lacks its frame', () => {
  const store = (found: Uint8Array) =>
    ({
      coverage: { view: () => ({ ...view(8), eras: [{ era, held: [{ from: 7, to: 8 }], holes: [] }] }) },
      frames: { seenEntries: () => found },
    }) as unknown as Store;
  expect(newestSeen(store(entries), 1)).toEqual(claim);
  expect(newestSeen(store(entries.subarray(40)), 1)).toBeUndefined();
});

test('what stands in the history is what is told of, a frame that stands for another as it came there', () => {
  const path = join(mkdtempSync(join(tmpdir(), 'waxwing-seen-')), 'device.db');
  const store = openStore(path, new Uint8Array(32).fill(1), { create: true });
  const account = parseAccountId('00000000-0000-4000-8000-000000000001');
  const far = 2 ** 40 + 1;
  store.transaction(() => {
    const { id } = store.conversations.ensureDirect(account, 0);
    const epoch = store.conversations.ensureEpoch(id, 1, parseHandle(Buffer.alloc(32, 7).toString('base64url'))).id;
    const party = store.parties.ensure({ account, device: parseDeviceId(1) }, 1);
    const stand = (n: number, number: number, other?: Uint8Array): void => {
      const stands = { era, number };
      store.frames.insertFrame(epoch, party, n, { hash: sha256(`${number}`), ciphertextHash: null, stands });
      store.frames.insertPlace(epoch, stands, party, n, other && { otherHash: other });
    };
    stand(1, far);
    stand(2, far + 1, sha256('other'));
    stand(3, far + 2);
    const told = (to: number): Uint8Array => store.frames.seenEntries(epoch, era, far, to);
    expect(told(far + 1)).toEqual(Buffer.concat([entry(far, `${far}`), entry(far + 1, 'other')]));
    expect(told(far + 9)).toHaveLength(3 * 40);
    expect(store.frames.seenEntries(epoch, parseEra(6), far, far)).toHaveLength(0);
  });
  store.close();
});

test('numbers beyond what the relay told are unheard of, the first of them however many it keeps back', () => {
  expect(unheardOf(view(5), claim)).toEqual([{ era, from: 6, to: 8 }]);
  expect(unheardOf(view(8), claim)).toEqual([]);
  expect(unheardOf(view(8), { era: parseEra(6), to: 1 })).toEqual([]);
  const most = 5 + limits.seenMaxNumbers;
  expect(unheardOf(view(5), { era, to: most + 1_000 })).toEqual([{ era, from: 6, to: most }]);
  expect(unheardOf(view(5), { era, to: 6 + limits.repairAheadMaxEntries })).toEqual([]);
});

test('what any later era names as its predecessor was told of, also where another era lies between', () => {
  const eras = [era, parseEra(6), parseEra(8)].map((one) => ({ era: one, held: [{ from: 1, to: 2 }], holes: [] }));
  const told = { start: { era, number: 1 }, floor: { era: parseEra(8), number: 2 } };
  const named = {
    ...told,
    eras: eras.map((row) => (row.era === 8 ? { ...row, predecessor: { era, number: 9 } } : row)),
  };
  expect(toldOf({ ...told, eras }, era)).toBe(2);
  expect(toldOf(named, era)).toBe(9);
});
