import { closeSync, existsSync, openSync, readFileSync, readSync, readdirSync, statSync } from 'node:fs';
import { Database, setLogger } from '@signalapp/sqlcipher';
import {
  NotAStoreError,
  StoreDamagedError,
  StoreFullError,
  StoreInUseError,
  StoreKeyMismatchError,
  StoreTooNewError,
} from '../errors.ts';

export type Value = string | number | Uint8Array | null;
export type Row = Readonly<Record<string, unknown>>;

const migrationsFolder = new URL('../../migrations/', import.meta.url);
const PAGE_BYTES = 4_096;
const PLAIN_HEADER = 'SQLite format 3\0';

/**
 * The device's encrypted file: SQLCipher with a raw 32-byte key, WAL, synchronous=FULL, held exclusively by one process.
 * Calls are synchronous; a transaction never spans an await.
 */
export class Db {
  readonly #database: Database;
  #open = true;

  private constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Opens or, with `create`, makes the file at `path`. Throws `StoreKeyMismatchError`, `StoreTooNewError`,
   * `NotAStoreError`, `StoreInUseError`, and after an unclean end `StoreDamagedError`; the file is then as it was.
   */
  static open(path: string, key: Uint8Array, options: { readonly create: boolean }): Db {
    if (key.length !== 32) throw new StoreKeyMismatchError();
    refuseOtherFiles(path);
    setLogger(() => undefined);
    const database = openFile(path, options.create);
    try {
      database.pragma(`key = "x'${Buffer.from(key).toString('hex')}'"`);
      database.pragma('locking_mode = EXCLUSIVE');
      const version = readVersion(database, path);
      const steps = migrations();
      if (version > steps.length) throw new StoreTooNewError();
      database.pragma('journal_mode = WAL');
      database.exec('PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;');
      database.initTokenizer();
      const db = new Db(database);
      if (version > 0) db.#refuseDamage();
      db.#migrate(steps, version);
      db.run('UPDATE file SET open = 1');
      return db;
    } catch (error) {
      database.close();
      throw fault(error);
    }
  }

  run(sql: string, ...values: readonly Value[]): number {
    return guard(() => this.#database.prepare(sql).run(values.map(toBinding)).changes);
  }

  get(sql: string, ...values: readonly Value[]): Row | undefined {
    return guard(() =>
      this.#database
        .prepare(sql)
        .get<Record<string, string | number | Uint8Array<ArrayBuffer> | null>>(values.map(toBinding)),
    );
  }

  all(sql: string, ...values: readonly Value[]): Row[] {
    return guard(() =>
      this.#database
        .prepare(sql)
        .all<Record<string, string | number | Uint8Array<ArrayBuffer> | null>>(values.map(toBinding)),
    );
  }

  /** Runs `work` in one transaction: committed when it returns, rolled back when it throws. Not nested. */
  transaction<T>(work: () => T): T {
    this.run('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.run('COMMIT');
      return result;
    } catch (error) {
      try {
        this.#database.exec('ROLLBACK');
      } catch {
        // SQLite has rolled back by itself, as it does on a full disk.
      }
      throw fault(error);
    }
  }

  /** Notes an orderly end and lets go of the file. Idempotent. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    try {
      this.#database.exec('UPDATE file SET open = 0');
    } finally {
      this.#database.close();
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
    const pages = this.#database.pragma('cipher_integrity_check');
    const tree = this.#database.pragma('quick_check', { simple: true });
    if (pages.length > 0 || tree !== 'ok') throw new StoreDamagedError();
  }
}

function openFile(path: string, create: boolean): Database {
  if (!create && !existsSync(path)) throw new NotAStoreError();
  return new Database(path, { cacheStatements: true });
}

function migrations(): string[] {
  const names = readdirSync(migrationsFolder).filter((name) => name.endsWith('.sql'));
  return names.sort().map((name) => readFileSync(new URL(name, migrationsFolder), 'utf8'));
}

function readVersion(database: Database, path: string): number {
  try {
    database.prepare('SELECT count(*) FROM sqlite_schema', { persistent: false }).get();
  } catch (error) {
    if (codeOf(error) === 'SQLITE_NOTADB' && existsSync(path)) throw new StoreKeyMismatchError({ cause: error });
    throw error;
  }
  return Number(database.pragma('user_version', { simple: true }));
}

/** What is plainly not an encrypted store: unencrypted databases, text, and files that are no whole pages. */
function refuseOtherFiles(path: string): void {
  if (!existsSync(path)) return;
  const stat = statSync(path);
  if (!stat.isFile()) throw new NotAStoreError();
  if (stat.size === 0) return;
  const head = Buffer.alloc(16);
  const file = openSync(path, 'r');
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  const isText = head.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d || byte === 0x09);
  if (stat.size % PAGE_BYTES !== 0 || head.toString('latin1') === PLAIN_HEADER || isText) throw new NotAStoreError();
}

function toBinding(value: Value): string | number | Uint8Array<ArrayBuffer> | null {
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
