import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import BetterSqlite3 from 'better-sqlite3';
import { createClient, openClient } from '@waxwing/client-core';
import { expect, test } from 'vitest';
import { Db } from '../../../../client-core/src/history/database.ts';

const KEY = new Uint8Array(32).fill(3);
const OTHER_KEY = new Uint8Array(32).fill(4);
const PAGE = 4_096;

const folder = (): string => mkdtempSync(join(tmpdir(), 'waxwing-store-'));
const newPath = (): string => join(folder(), 'device.db');

/** Every byte beside and in the file. */
function bytesOf(path: string): string[] {
  const parent = join(path, '..');
  return readdirSync(parent).map(
    (name) =>
      `${name} ${createHash('sha256')
        .update(readFileSync(join(parent, name)))
        .digest('hex')}`,
  );
}

function write(db: Db, tokens = 1): void {
  db.transaction(() => {
    for (let count = 0; count < tokens; count += 1) {
      db.run('INSERT INTO generation (token) VALUES (?)', new Uint8Array(3_000));
    }
  });
}

const count = (db: Db): unknown => db.get('SELECT count(*) AS tokens FROM generation')?.tokens;

/** A closed store with a token in it. */
function closedStore(key = KEY): string {
  const path = newPath();
  const db = Db.open(path, key, { create: true });
  write(db);
  db.close();
  return path;
}

/** What kill -9 leaves: the file and its log, neither closed. */
function uncleanStore(): string {
  const from = newPath();
  const db = Db.open(from, KEY, { create: true });
  write(db, 3);
  const path = newPath();
  copyFileSync(from, path);
  copyFileSync(`${from}-wal`, `${path}-wal`);
  db.close();
  return path;
}

/** The same, but all is in the file and nothing in the log. */
function uncleanStoreWithoutLog(): string {
  const path = uncleanStore();
  const db = Db.open(path, KEY, { create: false });
  db.run('PRAGMA wal_checkpoint(TRUNCATE)');
  const copy = newPath();
  copyFileSync(path, copy);
  db.close();
  return copy;
}

function refusal(path: string, key = KEY, create = false): string {
  try {
    Db.open(path, key, { create }).close();
    return 'opened';
  } catch (error) {
    return error instanceof Error ? error.name : 'unknown';
  }
}

/** How another process fares with the file, and how to end it. */
async function inChild(path: string): Promise<{ said: string; child: ChildProcess; end: () => Promise<void> }> {
  const script = fileURLToPath(new URL('../../../support/client-store-child.ts', import.meta.url));
  const hex = Buffer.from(KEY).toString('hex');
  const child = spawn(process.execPath, ['--conditions=waxwing-source', '--import', 'tsx', script, path, hex], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const exited = once(child, 'exit');
  return {
    said: said.toString().trim(),
    child,
    async end() {
      child.stdin.end();
      await exited;
    },
  };
}

// "Wrong store key: `StoreKeyMismatchError`, file untouched."
test('a wrong store key is StoreKeyMismatchError and touches nothing, after a clean end and an unclean one', () => {
  for (const path of [closedStore(), uncleanStore(), uncleanStoreWithoutLog()]) {
    const before = bytesOf(path);
    expect(refusal(path, OTHER_KEY)).toBe('StoreKeyMismatchError');
    expect(refusal(path, OTHER_KEY, true)).toBe('StoreKeyMismatchError');
    expect(bytesOf(path)).toEqual(before);
    expect(refusal(path)).toBe('opened');
  }
});

test.each([0, 16, 31, 33, 64])('a key of %i bytes is StoreKeyMismatchError, and no file is made', (length) => {
  const path = newPath();
  expect(refusal(path, new Uint8Array(length), true)).toBe('StoreKeyMismatchError');
  expect(existsSync(path)).toBe(false);
});

// "Newer schema: `StoreTooNewError`."
test('a file of a newer schema is StoreTooNewError and untouched, after a clean end and an unclean one', () => {
  const path = newPath();
  const db = Db.open(path, KEY, { create: true });
  db.run('PRAGMA user_version = 4711');
  const unclean = newPath();
  copyFileSync(path, unclean);
  copyFileSync(`${path}-wal`, `${unclean}-wal`);
  db.close();
  for (const file of [path, unclean]) {
    const before = bytesOf(file);
    expect(refusal(file)).toBe('StoreTooNewError');
    expect(refusal(file, KEY, true)).toBe('StoreTooNewError');
    expect(bytesOf(file)).toEqual(before);
  }
});

test('a version that was never committed is not the version of the file', () => {
  const path = newPath();
  const db = Db.open(path, KEY, { create: true });
  db.transaction(() => {
    db.run('PRAGMA user_version = 4711');
    for (let index = 0; index < 9; index += 1) {
      db.run('INSERT INTO generation (token) VALUES (?)', new Uint8Array(3_000));
    }
  });
  const copy = newPath();
  copyFileSync(path, copy);
  copyFileSync(`${path}-wal`, `${copy}-wal`);
  db.close();
  // The last page of the commit did not reach the log, the first did.
  truncateSync(`${copy}-wal`, statSync(`${copy}-wal`).size - PAGE);
  expect(refusal(path)).toBe('StoreTooNewError');
  expect(refusal(copy)).toBe('opened');
});

const notStores: Record<string, (path: string) => void> = {
  text: (path) => writeFileSync(path, 'this is a letter, not a store\n'.repeat(1_000)),
  'text of whole pages': (path) => writeFileSync(path, 'x'.repeat(2 * PAGE)),
  'a few bytes': (path) => writeFileSync(path, Buffer.from([1, 2, 3])),
  'plain SQLite': (path) => {
    const plain = new BetterSqlite3(path);
    plain.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)');
    plain.close();
  },
  'a store that lost its end within a page': (path) => {
    copyFileSync(closedStore(), path);
    truncateSync(path, 10 * PAGE - 100);
  },
};

// "Not a database: refused, untouched."
test.each(Object.entries(notStores))('%s is NotAStoreError and untouched', (_name, make) => {
  const path = newPath();
  make(path);
  const before = bytesOf(path);
  expect(refusal(path)).toBe('NotAStoreError');
  expect(refusal(path, KEY, true)).toBe('NotAStoreError');
  expect(bytesOf(path)).toEqual(before);
});

test('plain SQLite that others have open, with a log beside it, is untouched', () => {
  const path = newPath();
  const plain = new BetterSqlite3(path);
  plain.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)');
  const copy = newPath();
  copyFileSync(path, copy);
  copyFileSync(`${path}-wal`, `${copy}-wal`);
  const before = bytesOf(copy);
  expect(refusal(copy)).toBe('NotAStoreError');
  expect(bytesOf(copy)).toEqual(before);
  plain.close();
});

test('noise is refused and untouched', () => {
  const path = newPath();
  writeFileSync(path, createHash('sha512').update('noise').digest());
  writeFileSync(path, Buffer.alloc(2 * PAGE, 0x91));
  const before = bytesOf(path);
  expect(refusal(path)).toBe('StoreKeyMismatchError');
  expect(bytesOf(path)).toEqual(before);
});

test('a directory is NotAStoreError, and nothing appears in it', () => {
  const path = newPath();
  mkdirSync(path);
  expect(refusal(path)).toBe('NotAStoreError');
  expect(refusal(path, KEY, true)).toBe('NotAStoreError');
  expect(readdirSync(path)).toEqual([]);
});

test('a store that lost whole pages is StoreDamagedError and untouched', () => {
  for (const pages of [1, 10]) {
    const path = closedStore();
    truncateSync(path, pages * PAGE);
    const before = bytesOf(path);
    expect(refusal(path)).toBe('StoreDamagedError');
    expect(bytesOf(path)).toEqual(before);
  }
});

test('a file that cannot be made has a code of the table', () => {
  expect(refusal(join(folder(), 'no', 'such', 'folder', 'device.db'), KEY, true)).toBe('StoreFullError');
});

test('an empty file is a new store', () => {
  const path = newPath();
  writeFileSync(path, '');
  const db = Db.open(path, KEY, { create: true });
  write(db);
  db.close();
  expect(refusal(path)).toBe('opened');
});

test('the same file twice in one process is StoreInUseError, by any name, and the first goes on', () => {
  const path = newPath();
  const db = Db.open(path, KEY, { create: true });
  const other = join(folder(), 'other-name.db');
  linkSync(path, other);
  expect(refusal(path)).toBe('StoreInUseError');
  expect(refusal(path, KEY, true)).toBe('StoreInUseError');
  expect(refusal(other)).toBe('StoreInUseError');
  write(db);
  expect(count(db)).toBe(1);
  db.close();
  db.close();
  expect(refusal(other)).toBe('opened');
  expect(refusal(path)).toBe('opened');
});

// "Same file in two processes: `StoreInUseError`."
test('the same file in two processes is StoreInUseError, also after this process tried it a second time', async () => {
  const path = closedStore();
  const db = Db.open(path, KEY, { create: false });
  expect(refusal(path)).toBe('StoreInUseError');
  const second = await inChild(path);
  expect(second.said).toBe('StoreInUseError');
  await second.end();
  write(db);
  db.close();

  const first = await inChild(path);
  expect(first.said).toBe('opened');
  expect(refusal(path)).toBe('StoreInUseError');
  expect(refusal(path)).toBe('StoreInUseError');
  await first.end();
  expect(refusal(path)).toBe('opened');
}, 60_000);

test('after kill -9 of the process that had it, the file opens and holds what was committed', async () => {
  const path = closedStore();
  const holder = await inChild(path);
  holder.child.kill('SIGKILL');
  await once(holder.child, 'exit');
  const db = Db.open(path, KEY, { create: false });
  expect(count(db)).toBe(1);
  db.close();
}, 60_000);

test('after an unclean end the integrity check runs: a flipped byte anywhere is StoreDamagedError, as often as one tries', () => {
  const sound = uncleanStoreWithoutLog();
  const pages = readFileSync(sound).length / PAGE;
  for (const page of [1, 2, Math.floor(pages / 2), pages - 1]) {
    for (const offset of [0, 2_000, PAGE - 1]) {
      const path = newPath();
      const bytes = readFileSync(sound);
      const at = page * PAGE + offset;
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      writeFileSync(path, bytes);
      const before = bytesOf(path);
      expect(refusal(path), `page ${page}, byte ${offset}`).toBe('StoreDamagedError');
      expect(refusal(path)).toBe('StoreDamagedError');
      expect(bytesOf(path)).toEqual(before);
    }
  }
  expect(refusal(sound)).toBe('opened');
});

test('an unclean end without damage opens and holds what was committed', () => {
  const db = Db.open(uncleanStore(), KEY, { create: false });
  expect(count(db)).toBe(3);
  db.close();
});

test('a file that was cut within a page while its log holds the page opens', () => {
  const path = uncleanStore();
  truncateSync(path, PAGE - 96);
  const db = Db.open(path, KEY, { create: false });
  expect(count(db)).toBe(3);
  db.close();
});

test('a transaction is all or nothing: on a throw, and on a full disk, which passes', () => {
  const db = Db.open(newPath(), KEY, { create: true });
  expect(() =>
    db.transaction(() => {
      db.run('INSERT INTO generation (token) VALUES (?)', new Uint8Array(16));
      throw new RangeError('in the middle');
    }),
  ).toThrow(RangeError);
  expect(count(db)).toBe(0);
  const pages = Number(db.get('PRAGMA page_count')?.page_count);
  db.get(`PRAGMA max_page_count = ${pages + 1}`);
  expect(() => write(db, 100)).toThrow(expect.objectContaining({ name: 'StoreFullError', retryable: true }));
  expect(count(db)).toBe(0);
  db.get('PRAGMA max_page_count = 1000000');
  write(db, 2);
  expect(count(db)).toBe(2);
  db.close();
});

test('openClient on no file, and on an empty one, is NoDeviceError, and makes none', async () => {
  const path = newPath();
  await expect(openClient({ store: { path, key: KEY } })).rejects.toMatchObject({ name: 'NoDeviceError' });
  expect(existsSync(path)).toBe(false);
  writeFileSync(path, '');
  await expect(openClient({ store: { path, key: KEY } })).rejects.toMatchObject({ name: 'NoDeviceError' });
  expect(readFileSync(path)).toHaveLength(0);
});

test('openClient on a store without a device is NoDeviceError, and lets go of the file', async () => {
  const path = closedStore();
  await expect(openClient({ store: { path, key: KEY } })).rejects.toMatchObject({ name: 'NoDeviceError' });
  expect(refusal(path)).toBe('opened');
});

test('what fails to create a client lets go of the file', async () => {
  const path = newPath();
  const options = { server: 'http://127.0.0.1:9', store: { path, key: KEY } };
  await expect(createClient({ ...options, username: 'no username!' })).rejects.toMatchObject({ code: 'bad_username' });
  await expect(createClient({ ...options, server: 'no url' })).rejects.toThrow(TypeError);
  expect(refusal(path)).toBe('opened');
});

test('a commit waits for the disk unless it was said not to, also after one that failed', () => {
  const db = Db.open(newPath(), KEY, { create: true });
  const level = (): unknown => db.get('PRAGMA synchronous')?.synchronous;
  const [NORMAL, FULL] = [1, 2];
  expect(db.transaction(level)).toBe(FULL);
  expect(db.transaction(level, { synced: false })).toBe(NORMAL);
  expect(db.transaction(level)).toBe(FULL);
  const fail = (): never => {
    throw new RangeError('failed');
  };
  expect(() => db.transaction(fail, { synced: false })).toThrow(RangeError);
  expect(level()).toBe(FULL);
  db.close();
});
