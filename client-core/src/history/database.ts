import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { Database, setLogger } from '@signalapp/sqlcipher';
import {
  NotAStoreError,
  StoreDamagedError,
  StoreFullError,
  StoreInUseError,
  StoreKeyMismatchError,
  StoreTooNewError,
} from '../errors.ts';
import { hasLog, PAGE_BYTES, readFirstPage } from './first-page.ts';
import { Memo } from './memo.ts';

export type Value = string | number | Uint8Array | null;
type Binding = string | number | Uint8Array<ArrayBuffer> | null;
export type Row = Readonly<Record<string, unknown>>;
type Statement = ReturnType<Database['prepare']>;
/** Whether a commit waits for the disk. */
export type Durability = { readonly synced: boolean };

const migrationsFolder = new URL('../../migrations/', import.meta.url);
const PLAIN_HEADER = 'SQLite format 3\0';

/**
 * The files that this process has open. Locks of POSIX belong to the process: opening a file a second time and closing it
 * again, even to read one byte, would drop the locks of the first and let another process in.
 */
const openFiles = new Set<string>();

/**
 * The device's encrypted file: SQLCipher with a raw 32-byte key, WAL, synchronous=FULL, held exclusively by one process.
 * Calls are synchronous; a transaction never spans an await.
 */
export class Db {
  readonly #database: Database;
  readonly #file: string | undefined;
  readonly #memos: { clear(): void }[] = [];
  readonly #statements = new Map<string, Statement>();
  #open = true;

  private constructor(database: Database, file: string | undefined) {
    this.#database = database;
    this.#file = file;
  }

  /**
   * Opens or, with `create`, makes the file at `path`. Throws `StoreKeyMismatchError`, `StoreTooNewError`,
   * `NotAStoreError`, `StoreInUseError`, and after an unclean end, or beside another file's log, `StoreDamagedError`; the
   * file is then as it was, but that of a damaged one its own log is folded in. `StoreFullError` where it cannot be made.
   */
  static open(path: string, key: Uint8Array, options: { readonly create: boolean }): Db {
    if (key.length !== 32) throw new StoreKeyMismatchError();
    const known = identityOf(path);
    if (known !== undefined && openFiles.has(known)) throw new StoreInUseError();
    const steps = migrations();
    refuseOtherFiles(path, key, steps.length);
    setLogger(() => undefined);
    const database = openFile(path, options.create);
    const file = identityOf(path);
    if (file !== undefined) openFiles.add(file);
    try {
      database.pragma('cipher_log_level = NONE');
      database.pragma(`key = "x'${Buffer.from(key).toString('hex')}'"`);
      database.pragma('locking_mode = EXCLUSIVE');
      const version = readVersion(database);
      database.pragma('journal_mode = WAL');
      database.exec('PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;');
      database.initTokenizer();
      const db = new Db(database, file);
      if (version > 0) db.#refuseDamage();
      db.#migrate(steps, version);
      db.run('UPDATE file SET open = 1');
      return db;
    } catch (error) {
      database.close();
      if (file !== undefined) openFiles.delete(file);
      throw fault(error);
    }
  }

  /** A memo that forgets with each transaction that is rolled back. */
  memo<V>(): Memo<V> {
    const memo = new Memo<V>();
    this.#memos.push(memo);
    return memo;
  }

  run(sql: string, ...values: readonly Value[]): number {
    return guard(() => this.#statement(sql).run(values.map(toBinding)).changes);
  }

  get(sql: string, ...values: readonly Value[]): Row | undefined {
    return guard(() => this.#statement(sql).get<Record<string, Binding>>(values.map(toBinding)));
  }

  all(sql: string, ...values: readonly Value[]): Row[] {
    return guard(() => this.#statement(sql).all<Record<string, Binding>>(values.map(toBinding)));
  }

  /** Prepared once. The package keeps statements too, under a text that it makes anew for each call. */
  #statement(sql: string): Statement {
    const known = this.#statements.get(sql);
    if (known) return known;
    const made = this.#database.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }

  /**
   * Runs `work` in one transaction: committed when it returns, rolled back when it throws. Not nested. One that is not
   * `synced` survives a killed process; a power cut may undo it, until the next that is.
   */
  transaction<T>(work: () => T, { synced }: Durability = { synced: true }): T {
    // Not within a transaction: SQLite would ignore it there.
    if (!synced) this.run('PRAGMA synchronous = NORMAL');
    try {
      return this.#transaction(work);
    } finally {
      if (!synced) this.run('PRAGMA synchronous = FULL');
    }
  }

  #transaction<T>(work: () => T): T {
    this.run('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.run('COMMIT');
      return result;
    } catch (error) {
      for (const memo of this.#memos) memo.clear();
      try {
        this.#database.exec('ROLLBACK');
      } catch {
        // SQLite has rolled back by itself, as it does on a full disk.
      }
      throw fault(error);
    }
  }

  /** Splits a text into tokens as the search does: none where it has neither letters nor digits. */
  tokens(text: string): readonly string[] {
    return this.#database.signalTokenize(text);
  }

  /** Notes an orderly end and lets go of the file. Idempotent. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    try {
      guard(() => this.#database.exec('UPDATE file SET open = 0'));
    } finally {
      if (this.#file !== undefined) openFiles.delete(this.#file);
      guard(() => this.#database.close());
    }
  }

  #migrate(steps: readonly string[], from: number): void {
    for (const [index, sql] of steps.entries()) {
      if (index < from) continue;
      this.transaction(() => {
        this.#database.exec(sql);
        this.#database.exec(`PRAGMA user_version = ${index + 1}`);
      });
    }
  }

  /** The file was not closed in order: every page's authentication tag and the tree are checked. */
  #refuseDamage(): void {
    if (this.get('SELECT open FROM file')?.open === 0) return;
    // The check reads the file and not its log: pages that the log holds whole may be torn in the file.
    this.#database.pragma('wal_checkpoint(TRUNCATE)');
    const pages = this.#database.pragma('cipher_integrity_check');
    const tree = this.#database.pragma('quick_check', { simple: true });
    if (pages.length > 0 || tree !== 'ok') throw new StoreDamagedError();
  }
}

function openFile(path: string, create: boolean): Database {
  if (!create && !existsSync(path)) throw new NotAStoreError();
  try {
    return new Database(path, { cacheStatements: true });
  } catch (error) {
    throw new StoreFullError({ cause: error });
  }
}

function migrations(): string[] {
  const names = readdirSync(migrationsFolder).filter((name) => name.endsWith('.sql'));
  return names.sort().map((name) => readFileSync(new URL(name, migrationsFolder), 'utf8'));
}

function readVersion(database: Database): number {
  database.prepare('SELECT count(*) FROM sqlite_schema', { persistent: false }).get();
  return Number(database.pragma('user_version', { simple: true }));
}

/** Refuses a file, before SQLite has it, that is no store, another key's, or a newer version's. An empty one is new. */
function refuseOtherFiles(path: string, key: Uint8Array, newest: number): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isFile()) throw new NotAStoreError();
  if (stat.size === 0) {
    // SQLite would drop the log, and what it holds, for a new file.
    if (hasLog(path)) throw new StoreDamagedError();
    return;
  }
  // The file of an unclean end may be cut within a page that its log holds whole.
  const isCut = stat.size % PAGE_BYTES !== 0 && !hasLog(path);
  const page = readFirstPage(path, key);
  if (page.type === 'unreadable')
    throw isCut || isPlain(page.start) ? new NotAStoreError() : new StoreKeyMismatchError();
  if (isCut) throw new NotAStoreError();
  if (page.type === 'other_log') throw new StoreDamagedError();
  if (page.version > newest) throw new StoreTooNewError();
}

/** Text, or a database that is not encrypted. */
function isPlain(start: Buffer): boolean {
  const isText = start.every(
    (byte) => (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d || byte === 0x09,
  );
  return isText || start.toString('latin1') === PLAIN_HEADER;
}

/** One name for a file, whatever its path; undefined where there is none. */
function identityOf(path: string): string | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat && `${stat.dev}:${stat.ino}`;
}

function toBinding(value: Value): Binding {
  if (!(value instanceof Uint8Array)) return value;
  return isOwnBuffer(value) ? value : new Uint8Array(value);
}

function isOwnBuffer(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function fault(error: unknown): unknown {
  switch (codeOf(error)) {
    case 'SQLITE_BUSY':
    case 'SQLITE_LOCKED':
      return new StoreInUseError({ cause: error });
    case 'SQLITE_FULL':
    case 'SQLITE_IOERR':
    case 'SQLITE_CANTOPEN':
      return new StoreFullError({ cause: error });
    // The first page was good under the key: another page is not.
    case 'SQLITE_NOTADB':
    case 'SQLITE_CORRUPT':
      return new StoreDamagedError({ cause: error });
    default:
      return error;
  }
}

function guard<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fault(error);
  }
}
