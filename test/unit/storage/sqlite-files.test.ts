import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits } from '@waxwing/protocol';
import { openSqliteStorage, type Storage } from '@waxwing/storage';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { accepted, directing, enrol, keyOf, recipient, sending, type Person } from '../../contract/people.ts';
import { ackUpTo, numbersIn, readAll } from '../../contract/reading.ts';
import type { World } from '../../contract/contract.ts';
import { createManualRuntime, type ManualRuntime } from '../../kit/src/manual-runtime.ts';

const HOUR_MS = 60 * 60 * 1_000;

let root = '';
let folder = '';
let runtime: ManualRuntime;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'waxwing-files-'));
  folder = join(root, 'store');
  runtime = createManualRuntime();
});
afterEach(() => rmSync(root, { recursive: true }));

const open = (thread: 'own' | 'calling' = 'calling') => openSqliteStorage({ directory: folder, runtime, thread });

function people(storage: Storage, count: number): Promise<Person[]> {
  const world: Pick<World, 'storage'> = { storage };
  return Promise.all(Array.from({ length: count }, (_, i) => enrol(world, i + 1)));
}

/** Lets what waits be written to the tables, and what is past its time be deleted. */
async function settle(storage: Storage): Promise<void> {
  for (let turn = 0; turn < 40; turn++) {
    runtime.advance(30_000);
    await storage.mailboxes.heads([]);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function countOnDisk(text: string): number {
  const bytes = readdirSync(folder).map((name) => readFileSync(join(folder, name)).toString('latin1'));
  return bytes.join('').split(text).length - 1;
}

function rowsOf(table: string): number {
  const db = new Database(join(folder, 'relay.db'));
  const count = Number(db.prepare(`SELECT count(*) FROM ${table}`).pluck().get());
  db.close();
  return count;
}

describe('opening', () => {
  for (const thread of ['calling', 'own'] as const) {
    it(`a folder is refused, by name, while another storage has it (${thread} thread)`, async () => {
      const first = await open(thread);
      await assert.rejects(
        open(thread),
        (error: Error) => error.message.includes(folder) && error.message.includes('in use'),
      );
      await first.mailboxes.check();
      await first.close();
      const second = await open(thread);
      await second.mailboxes.check();
      await second.close();
    });
  }

  it('a schema from a newer version is refused by name, and the file stays as it is', async () => {
    for (const name of ['relay.db', 'directory.db']) {
      await (await open()).close();
      const path = join(folder, name);
      const db = new Database(path);
      const version = Number(db.pragma('user_version', { simple: true }));
      db.pragma('user_version = 999');
      db.close();
      const before = readFileSync(path);
      await assert.rejects(open(), (error: Error) => error.message.includes(path) && error.message.includes('newer'));
      assert.ok(readFileSync(path).equals(before));
      const again = new Database(path);
      again.pragma(`user_version = ${version}`);
      again.close();
    }
    await (await open()).close();
  });

  it('the folder and its files are for their owner alone', async () => {
    const storage = await open();
    await people(storage, 2);
    await storage.mailboxes.check();
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    const names = readdirSync(folder);
    assert.ok(names.includes('relay.db-wal'));
    for (const name of names) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
    await storage.close();
  });

  it('a path that is no folder is refused', async () => {
    await assert.rejects(openSqliteStorage({ directory: '/dev/null/store', runtime, thread: 'calling' }));
  });

  it('a closed storage refuses calls, and closing again is harmless', async () => {
    const storage = await open();
    await storage.close();
    await storage.close();
    await assert.rejects(storage.mailboxes.check(), /closed/);
  });

  it('what was called before closing is answered', async () => {
    const storage = await open();
    const [ann, bob] = await people(storage, 2);
    const submits = [1, 2, 3].map((n) => storage.mailboxes.submit(sending({ from: ann!, to: [bob!], n, oldest: 1 })));
    await storage.close();
    assert.deepEqual(
      (await Promise.all(submits)).map(({ type }) => type),
      ['accepted', 'accepted', 'accepted'],
    );
    const again = await open();
    assert.deepEqual(await numbersIn(again, keyOf(bob!)), [1, 2, 3]);
    await again.close();
  });
});

describe('what is on disk', () => {
  it('a ciphertext for many stands once, and every mailbox reads it', async () => {
    const storage = await open();
    const [ann, ...others] = await people(storage, 6);
    const canary = `canary-${'s'.repeat(500)}`;
    const recipients = [ann!, ...others].map((person) => {
      const { devices, ...rest } = recipient(person, '', person === ann ? 1 : undefined);
      const bare = devices.map(({ device, registrationId, kind }) => ({ device, registrationId, kind }));
      return { ...rest, devices: bare };
    });
    const sharedCiphertext = Buffer.from(canary);
    await accepted(storage, sending({ from: ann!, recipients, sharedCiphertext }));
    await settle(storage);
    await storage.close();
    assert.equal(countOnDisk(canary), 1);
    const again = await open();
    for (const person of others)
      assert.deepEqual(
        (await readAll(again, keyOf(person))).map(({ text }) => text),
        [canary],
      );
    await again.close();
  });

  it('what was acked is gone from the files, as soon as they are rewritten', async () => {
    const storage = await open();
    const [ann, bob] = await people(storage, 2);
    const canary = `canary-${'a'.repeat(2_000)}`;
    await accepted(storage, sending({ from: ann!, to: [bob!], text: canary }));
    await settle(storage);
    await ackUpTo(storage, keyOf(bob!), 1);
    await settle(storage);
    await storage.close();
    assert.equal(countOnDisk(canary), 0);
  });

  it('what was acked is gone from the files of a store that is never closed, and still is after a day without work', async () => {
    const storage = await open();
    const [ann, bob] = await people(storage, 2);
    const canary = `canary-${'o'.repeat(2_000)}`;
    await accepted(storage, sending({ from: ann!, to: [bob!], text: canary }));
    await settle(storage);
    await ackUpTo(storage, keyOf(bob!), 1);
    await settle(storage);
    assert.ok(countOnDisk(canary) > 0, 'the logs hold it for a while');
    runtime.advance(HOUR_MS);
    await settle(storage);
    assert.equal(countOnDisk(canary), 0);
    await storage.close();
  });

  it('another program that reads a file keeps its log, and only for as long as it reads', async () => {
    const storage = await open();
    const [ann, bob] = await people(storage, 2);
    const canary = `canary-${'r'.repeat(2_000)}`;
    await accepted(storage, sending({ from: ann!, to: [bob!], text: canary }));
    await settle(storage);
    const reader = new Database(join(folder, 'relay.db'));
    reader.exec('BEGIN; SELECT count(*) FROM envelope');
    await ackUpTo(storage, keyOf(bob!), 1);
    runtime.advance(HOUR_MS);
    await settle(storage);
    assert.ok(countOnDisk(canary) > 0);
    reader.close();
    await settle(storage);
    assert.equal(countOnDisk(canary), 0);
    await storage.close();
  });

  it('what is past its time goes though nobody touches it', async () => {
    const storage = await open();
    const [ann, bob, cat] = await people(storage, 3);
    const canary = `canary-${'e'.repeat(2_000)}`;
    await accepted(storage, sending({ from: ann!, to: [bob!, cat!], text: canary }));
    await storage.mailboxes.submitDirect(directing({ from: ann!, recipients: [recipient(bob!, canary)] }));
    await settle(storage);
    assert.deepEqual(['envelope', 'entry', 'seen', 'counter', 'sender_memory'].map(rowsOf), [3, 1, 1, 1, 1]);
    runtime.advance(limits.mailboxTtlMs);
    await settle(storage);
    assert.deepEqual(['envelope', 'entry', 'seen', 'counter', 'sender_memory'].map(rowsOf), [0, 0, 1, 1, 1]);
    runtime.advance(limits.directDedupeMs);
    await settle(storage);
    assert.deepEqual(['seen', 'counter', 'sender_memory', 'mailbox'].map(rowsOf), [0, 1, 1, 2]);
    runtime.advance(limits.counterTtlMs);
    await settle(storage);
    assert.deepEqual(['counter', 'sender_memory', 'log'].map(rowsOf), [0, 0, 0]);
    await storage.close();
    assert.equal(countOnDisk(canary), 0);
  });

  it('a dropped mailbox is gone with all its entries, however many', async () => {
    const storage = await open();
    const [ann, bob] = await people(storage, 2);
    for (let n = 1; n <= 400; n++) await accepted(storage, sending({ from: ann!, to: [bob!], n }));
    await settle(storage);
    assert.equal(rowsOf('envelope'), 400);
    await storage.mailboxes.drop(keyOf(bob!));
    await accepted(storage, sending({ from: ann!, to: [bob!], n: 401 }));
    await settle(storage);
    assert.deepEqual(['envelope', 'garbage', 'mailbox'].map(rowsOf), [1, 0, 1]);
    assert.deepEqual(await numbersIn(storage, keyOf(bob!)), [1]);
    await storage.close();
  });

  it('mail that was acked before it was written to its table is never written there', async () => {
    const storage = await open();
    const [ann, bob] = await people(storage, 2);
    for (let n = 1; n <= 20; n++) {
      await accepted(storage, sending({ from: ann!, to: [bob!], n }));
      await ackUpTo(storage, keyOf(bob!), n);
    }
    assert.equal(rowsOf('mailbox'), 0);
    await settle(storage);
    assert.deepEqual(['mailbox', 'envelope', 'log'].map(rowsOf), [1, 0, 0]);
    await storage.close();
  });
});
