import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { handleFromBytes, parseDeviceId, parseEra, sha256 } from '@waxwing/protocol';
import fc from 'fast-check';
import { it } from 'vitest';
import type { EntryKey, HeldEntry } from '../../../storage/src/engine/records.ts';
import { openDatabase, prepareFolder, type Db } from '../../../storage/src/sqlite/database.ts';
import { decodeEntries, encodeEntries } from '../../../storage/src/sqlite/entry-codec.ts';
import { createJournal } from '../../../storage/src/sqlite/journal.ts';
import { relayMigrations } from '../../../storage/src/sqlite/migrations/relay.ts';
import { createTailEntries } from '../../../storage/src/sqlite/tail-entries.ts';
import { accountNumber } from '../../contract/people.ts';

const count = fc.integer({ min: 1, max: 2 ** 40 });
const account = fc.integer({ min: 0, max: 3 }).map(accountNumber);
const plain = { noNullPrototype: true };
const device = fc.record(
  { account, device: fc.integer({ min: 1, max: 3 }).map(parseDeviceId), addedIn: fc.nat(3) },
  plain,
);
const entry: fc.Arbitrary<HeldEntry> = fc.record(
  { sender: device, n: count, accounts: fc.array(account, { maxLength: 3 }), committedMs: count },
  plain,
);

it('entries come back from a column as they were', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ number: count, entry }, plain), { maxLength: 40 }), (entries) => {
      assert.deepEqual(decodeEntries(encodeEntries(entries)), entries);
    }),
  );
});

const handles = [1, 2, 3].map((fill) => handleFromBytes(new Uint8Array(32).fill(fill)));

/** Handles that count on, now and then in a new era, under a clock that also jumps; writes in between. */
const step = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      handle: fc.nat(2),
      newEra: fc.integer({ min: 0, max: 9 }).map((x) => x === 0),
      laterMs: fc.oneof(fc.nat(2_000), fc.integer({ min: -100_000, max: 100_000 })),
      entry,
    }),
  },
  { weight: 1, arbitrary: fc.constant('write' as const) },
);

it('each entry is found by its number, before and after it is written, and no other number is', () => {
  const folder = mkdtempSync(join(tmpdir(), 'waxwing-entries-'));
  prepareFolder(folder);
  try {
    const db = openDatabase(folder, 'relay.db', relayMigrations);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        db.exec('DELETE FROM entry');
        const changed = new Set<number>();
        const tail = createTailEntries(db, { journal: createJournal(), onChange: (bucket) => changed.add(bucket) });
        const all: [EntryKey, HeldEntry][] = [];
        const places = handles.map(() => ({ era: 1, number: 0 }));
        let nowMs = 1e9;
        for (const one of steps) {
          if (one === 'write') {
            for (const bucket of changed) tail.write(bucket);
            for (const bucket of changed) tail.written(bucket);
            changed.clear();
            assert.equal(tail.size, 0);
            continue;
          }
          const { era, number } = places[one.handle]!;
          const next = one.newEra ? { era: era + 1, number: 1 } : { era, number: number + 1 };
          places[one.handle] = next;
          nowMs += one.laterMs;
          const key = { handle: handles[one.handle]!, era: parseEra(next.era), number: next.number };
          const held = { ...one.entry, committedMs: nowMs };
          tail.set(key, held);
          all.push([key, held]);
        }
        for (const [key, held] of all) assert.deepEqual(tail.get(key), held);
        for (const [place, handle] of handles.entries()) {
          const { era, number } = places[place]!;
          assert.equal(tail.get({ handle, era: parseEra(era), number: number + 1 }), undefined);
          assert.equal(tail.get({ handle, era: parseEra(era + 1), number: 1 }), undefined);
        }
        assert.ok(rowsWithin(db, 60_000));
      }),
      { numRuns: 60 },
    );
    db.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Whether no row holds an entry so much older than its own date that it would stay longer than that. */
function rowsWithin(db: Db, spanMs: number): boolean {
  const rows = db.prepare('SELECT committed_ms, entries FROM entry').raw().all() as [number, Uint8Array][];
  return rows.every(([newest, entries]) =>
    decodeEntries(entries).every(
      ({ entry: { committedMs } }) => committedMs <= newest && committedMs > newest - spanMs,
    ),
  );
}

it('a row names few accounts, however many each entry names: it is read, and deleted, as a whole', () => {
  const folder = mkdtempSync(join(tmpdir(), 'waxwing-entries-'));
  prepareFolder(folder);
  try {
    const db = openDatabase(folder, 'relay.db', relayMigrations);
    const changed = new Set<number>();
    const tail = createTailEntries(db, { journal: createJournal(), onChange: (bucket) => changed.add(bucket) });
    const [handle] = handles;
    const sender = { account: accountNumber(1), device: parseDeviceId(1), addedIn: 1 };
    const many = Array.from({ length: 1_000 }, (_account, index) => accountNumber(index));
    const sizes = [40, 0, 1_000, 39, 300];
    for (let n = 1; n <= 200; n += 1) {
      const accounts = many.slice(0, sizes[n % sizes.length]);
      if (n % 2 === 0) accounts.reverse();
      if (handle) tail.set({ handle, era: parseEra(1), number: n }, { sender, n, accounts, committedMs: 1e9 });
    }
    for (const bucket of changed) tail.write(bucket);
    const rows = db.prepare('SELECT entries FROM entry').all() as { entries: Uint8Array }[];
    const named = rows.map(({ entries }) => {
      const all = decodeEntries(entries);
      return all.length === 1 ? 0 : all.reduce((sum, one) => sum + one.entry.accounts.length, 0);
    });
    assert.ok(Math.max(...named) <= 512);
    assert.ok(rows.length < 200);
    db.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('entries that are taken back leave nothing in memory', () => {
  const folder = mkdtempSync(join(tmpdir(), 'waxwing-entries-'));
  prepareFolder(folder);
  try {
    const db = openDatabase(folder, 'relay.db', relayMigrations);
    const journal = createJournal();
    const tail = createTailEntries(db, { journal, onChange: () => undefined });
    const sender = { account: accountNumber(1), device: parseDeviceId(1), addedIn: 1 };
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let n = 1; n <= 100_000; n += 1) {
      const handle = handleFromBytes(sha256(String(n)));
      tail.set({ handle, era: parseEra(1), number: 1 }, { sender, n: 1, accounts: [], committedMs: 1 });
      journal.undoTo(0);
    }
    collect();
    assert.equal(tail.size, 0);
    assert.ok(process.memoryUsage().heapUsed - before < 8e6);
    db.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
