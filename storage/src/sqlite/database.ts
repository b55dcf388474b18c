import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { toRow } from './columns.ts';

export type Db = Database.Database;
type Statement = Database.Statement;

/** How long a write waits for another program that holds the file, such as a backup. */
const BUSY_TIMEOUT_MS = 2_000;

/** Makes the folder (0700) if it is not there. */
export function prepareFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
}

/**
 * Takes the folder for this storage alone, until the answer is called or the process ends. Throws, naming the folder, if
 * another storage has it. The lock is SQLite's own on an empty file beside the databases, which others may thus still read.
 */
export function lockFolder(folder: string): () => void {
  const path = join(folder, 'lock.db');
  createPrivately(path);
  const lock = new Database(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    if (!isUnwritable(cause)) throw cause;
    throw new Error(`${folder} is in use by another storage`, { cause });
  }
  return () => lock.close();
}

/**
 * Opens a database of the folder (0600) with the newest schema: each commit is on the disk when it returns, deleted content
 * is overwritten. Throws on a schema that is newer than `migrations`, leaving the file as it is.
 */
export function openDatabase(folder: string, name: string, migrations: readonly string[]): Db {
  const path = join(folder, name);
  createPrivately(path);
  const db = new Database(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    const version = Number(db.pragma('user_version', { simple: true }));
    if (version > migrations.length) {
      throw new Error(
        `${path} has schema ${version}, newer than ${migrations.length}, the newest that this version knows`,
      );
    }
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.pragma('secure_delete = ON');
    db.pragma('trusted_schema = OFF');
    migrations.slice(version).forEach((sql, index) => {
      inTransaction(db, () => {
        db.exec(sql);
        db.pragma(`user_version = ${version + index + 1}`);
      });
    });
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Brings what SQLite's log holds into the file and cuts the log to nothing: until then it keeps what was deleted. Not while
 * another program reads the file: false then.
 */
export function emptyLog(db: Db): boolean {
  db.pragma('busy_timeout = 0');
  try {
    return toRow(db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get())?.busy === 0;
  } finally {
    db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
  }
}

const prepared = new WeakMap<Db, { readonly begin: Statement; readonly commit: Statement }>();

/** Runs `work` in one transaction that is durable when this returns; if anything throws, nothing of it is kept. */
export function inTransaction<T>(db: Db, work: () => T): T {
  const known = prepared.get(db);
  const { begin, commit } = known ?? { begin: db.prepare('BEGIN IMMEDIATE'), commit: db.prepare('COMMIT') };
  if (!known) prepared.set(db, { begin, commit });
  begin.run();
  try {
    const result = work();
    commit.run();
    return result;
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** The file has grown as far as it may. */
export class NoRoomError extends Error {}

/** Whether the error says that the disk or file cannot be written now: full, failing, locked or read-only. */
export function isUnwritable(error: unknown): boolean {
  if (error instanceof NoRoomError) return true;
  if (!(error instanceof Database.SqliteError)) return false;
  return /^SQLITE_(FULL|IOERR|BUSY|LOCKED|READONLY|CANTOPEN)/.test(error.code);
}

/** SQLite would create the file with the process's umask; its journals take the mode of the file. */
function createPrivately(path: string): void {
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
}
