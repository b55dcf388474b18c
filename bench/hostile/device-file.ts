import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { Db } from '../../client-core/src/history/database.ts';
import { clientErrors } from '../../client-core/src/errors.ts';
import { WaxwingError } from '@waxwing/client-core';
import { temporaryFolder } from '../../test/support/cli.ts';
import { createDice, type Dice } from './dice.ts';
import { watchOwn } from './own-watch.ts';
import { Tally, type RowOptions, type RowReport } from './row.ts';

const KEY = new Uint8Array(32).fill(3);
const OTHER_KEY = new Uint8Array(32).fill(4);
const PAGE = 4_096;
const ROW_BYTES = 3_000;
const SETTLED_ROWS = 12;
const LOGGED_ROWS = 5;
/** No version of the product has this schema. */
const NEWER = 99;

/** A file and its log as they lie on a disk, and how many rows stand in the file alone and with the log. */
type Sample = { readonly main: Buffer; readonly log?: Buffer; readonly settled: number; readonly rows: number };
type Samples = {
  readonly closed: Sample;
  /** A file that was closed after all its rows, beside the log that it had before the last of them. */
  readonly behind: Sample;
  readonly unclean: Sample;
  readonly other: Sample;
  readonly otherKey: Sample;
  readonly newer: Sample;
  readonly foreign: Sample;
};

/** What is done to a sample: what lies there then, with what it is opened, and how few rows a sound store may show. */
type Case = {
  readonly name: string;
  readonly main: Buffer;
  readonly log?: Buffer;
  readonly beside?: Readonly<Record<string, Buffer>>;
  readonly key: Uint8Array;
  readonly leastRows: number;
  readonly rows: number;
};

function insert(db: Db, from: number, count: number): void {
  for (let row = from; row < from + count; row += 1) {
    db.run('INSERT INTO generation (token) VALUES (?)', new Uint8Array(ROW_BYTES).fill(row + 1));
  }
}

function makeSample(folder: string, key: Uint8Array, kind: 'closed' | 'unclean' | 'behind' | 'newer'): Sample {
  const path = join(mkdtempSync(join(folder, 'sample-')), 'sample.db');
  const db = Db.open(path, key, { create: true });
  insert(db, 0, SETTLED_ROWS);
  db.get('PRAGMA wal_checkpoint(TRUNCATE)');
  if (kind === 'newer') db.run(`PRAGMA user_version = ${NEWER}`);
  else insert(db, SETTLED_ROWS, LOGGED_ROWS);
  const rows = SETTLED_ROWS + (kind === 'newer' ? 0 : LOGGED_ROWS);
  const log = readFileSync(`${path}-wal`);
  const unclean = { main: readFileSync(path), log, settled: SETTLED_ROWS, rows };
  if (kind === 'behind') insert(db, rows, 1);
  db.close();
  const closed = { main: readFileSync(path), settled: rows, rows };
  if (kind === 'behind') return { ...closed, log, rows: rows + 1 };
  return kind === 'unclean' ? unclean : closed;
}

/** A database of somebody else, with a view and a trigger that would run. */
function makeForeign(folder: string): Sample {
  const path = join(folder, 'foreign.db');
  const db = new BetterSqlite3(path);
  db.exec(`CREATE TABLE generation (token BLOB); CREATE TABLE seen (at INTEGER);
    CREATE VIEW file AS SELECT 1 AS open;
    CREATE TRIGGER noted AFTER INSERT ON generation BEGIN INSERT INTO seen VALUES (1); END;
    INSERT INTO generation VALUES (zeroblob(9000)); PRAGMA user_version = 1;`);
  db.close();
  const main = readFileSync(path);
  rmSync(path);
  return { main, settled: 0, rows: 0 };
}

function flip(bytes: Buffer, at: number, dice: Dice): Buffer {
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << dice.int(8)), at);
  return flipped;
}

function withPage(bytes: Buffer, page: number, content: Uint8Array): Buffer {
  const changed = Buffer.from(bytes);
  changed.set(content, page * PAGE);
  return changed;
}

type Make = (samples: Samples, dice: Dice, count: number) => Case;

const whole = (name: string, { main, log, rows, settled }: Sample): Case => ({
  name,
  main,
  ...(log && { log }),
  key: KEY,
  leastRows: log ? settled : rows,
  rows,
});
const pickSound = ({ closed, unclean }: Samples, dice: Dice): Sample => (dice.oneIn(2) ? closed : unclean);
const pagesOf = (bytes: Buffer): number => bytes.length / PAGE;
const pageOf = (bytes: Buffer, page: number): Buffer => bytes.subarray(page * PAGE, (page + 1) * PAGE);

/** A case whose file was touched: the log, if any, was not, and every row is there or the damage is named. */
const mainTouched = (name: string, sample: Sample, main: Buffer): Case => ({
  ...whole(name, sample),
  main,
  leastRows: sample.rows,
});
const logTouched = (name: string, sample: Sample, log: Buffer): Case => ({ ...whole(name, sample), log });

const makes: readonly Make[] = [
  // Each page in turn, whatever the seed.
  (samples, dice, count) => {
    const sample = pickSound(samples, dice);
    return mainTouched(
      'a flipped bit',
      sample,
      flip(sample.main, (count % pagesOf(sample.main)) * PAGE + dice.int(PAGE), dice),
    );
  },
  (samples, dice) => {
    const { unclean } = samples;
    const log = unclean.log ?? Buffer.alloc(0);
    return logTouched('a flipped bit in the log', unclean, flip(log, dice.int(log.length), dice));
  },
  (samples, dice) => {
    const sample = pickSound(samples, dice);
    // Something is left: a file of nothing is a case of its own.
    const bytes = dice.oneIn(2)
      ? 1 + dice.int(sample.main.length - 1)
      : (1 + dice.int(pagesOf(sample.main) - 1)) * PAGE;
    return mainTouched('cut', sample, sample.main.subarray(0, bytes));
  },
  ({ unclean }, dice) => {
    const log = unclean.log ?? Buffer.alloc(0);
    return logTouched('a log that was cut', unclean, log.subarray(0, dice.int(log.length)));
  },
  (samples, dice) => {
    const sample = pickSound(samples, dice);
    const [one, two] = [dice.int(pagesOf(sample.main)), dice.int(pagesOf(sample.main))];
    const half = withPage(sample.main, one, pageOf(sample.main, two));
    return mainTouched('two pages in each other’s place', sample, withPage(half, two, pageOf(sample.main, one)));
  },
  (samples, dice) => {
    const sample = pickSound(samples, dice);
    const page = dice.int(Math.min(pagesOf(sample.main), pagesOf(samples.other.main)));
    return mainTouched(
      'a page of another store',
      sample,
      withPage(sample.main, page, pageOf(samples.other.main, page)),
    );
  },
  (samples, dice) => {
    const sample = pickSound(samples, dice);
    return mainTouched(
      'a page of zeros',
      sample,
      withPage(sample.main, dice.int(pagesOf(sample.main)), Buffer.alloc(PAGE)),
    );
  },
  (samples, dice) => {
    const sample = pickSound(samples, dice);
    return mainTouched('more at its end', sample, Buffer.concat([sample.main, dice.bytes(dice.pick([1, 100, PAGE]))]));
  },
  (samples, dice) => ({ ...whole('another key', pickSound(samples, dice)), key: OTHER_KEY }),
  (samples, dice) => ({
    ...whole('a key of another length', pickSound(samples, dice)),
    key: dice.bytes(dice.pick([0, 31, 33])),
  }),
  ({ behind }) => ({ ...whole('a log of before', behind), leastRows: SETTLED_ROWS }),
  ({ closed, other }) => logTouched('a log of another store', closed, other.log ?? Buffer.alloc(0)),
  ({ closed, otherKey }) => logTouched('a log of another key', closed, otherKey.log ?? Buffer.alloc(0)),
  ({ closed }, dice) => logTouched('noise for a log', closed, dice.bytes(dice.pick([1, 32, 5_000, 20_000]))),
  ({ unclean }) => ({ ...mainTouched('nothing, beside a log', unclean, Buffer.alloc(0)) }),
  ({ closed }) => ({ ...mainTouched('nothing', closed, Buffer.alloc(0)), leastRows: 0 }),
  ({ newer }) => ({ ...whole('a newer version’s', newer), leastRows: Infinity }),
  ({ foreign }) => ({ ...whole('somebody else’s', foreign), leastRows: Infinity }),
  ({ closed }, dice) => ({ ...whole('noise for a journal', closed), beside: { '-journal': dice.bytes(2_000) } }),
  ({ closed }, dice) => ({ ...whole('noise for shared memory', closed), beside: { '-shm': dice.bytes(2_000) } }),
  (samples, dice) => ({ ...whole('untouched', pickSound(samples, dice)) }),
];

/** Every byte of a folder, by name. */
function bytesOf(folder: string): string {
  const files = readdirSync(folder).sort();
  const hashed = files.map((file) =>
    createHash('sha256')
      .update(readFileSync(join(folder, file)))
      .digest('hex'),
  );
  return files.map((file, index) => `${file} ${hashed[index] ?? ''}`).join('\n');
}

function codeOf(error: unknown): string {
  if (error instanceof WaxwingError && Object.hasOwn(clientErrors, error.code)) return error.code;
  throw error;
}

/** What the store says to this, or throws for what it must not do. */
function answerTo(one: Case, path: string): string {
  writeFileSync(path, one.main);
  if (one.log) writeFileSync(`${path}-wal`, one.log);
  for (const [suffix, bytes] of Object.entries(one.beside ?? {})) writeFileSync(`${path}${suffix}`, bytes);
  const folder = dirname(path);
  const before = bytesOf(folder);
  let db: Db;
  try {
    db = Db.open(path, one.key, { create: false });
  } catch (error) {
    const code = codeOf(error);
    // A damaged file's log is folded in before its pages are checked.
    if (bytesOf(folder) !== before && !(code === 'store_damaged' && one.log))
      throw new Error(`${code}, and changed`, { cause: error });
    if (one.name === 'untouched') throw new Error(`${code} for a sound store`, { cause: error });
    return code;
  }
  try {
    return answerOfOpen(one, db, path);
  } catch (error) {
    return `opened, then ${codeOf(error)}`;
  } finally {
    closeQuietly(db);
  }
}

class SilentLoss extends Error {}

function answerOfOpen({ leastRows, rows }: Case, db: Db, path: string): string {
  const held = db.all('SELECT token FROM generation ORDER BY rowid').map(({ token }) => token);
  const isPrefix = held.every(
    (token, row) =>
      token instanceof Uint8Array && token.length === ROW_BYTES && token.every((byte) => byte === row + 1),
  );
  if (!isPrefix || held.length > rows || held.length < leastRows) {
    throw new SilentLoss(`${held.length} rows of ${rows}, at least ${leastRows}`);
  }
  insert(db, held.length, 1);
  const { size } = statSync(path);
  db.close();
  if (size === 0 && rows > 0 && leastRows > 0) throw new SilentLoss('a new file');
  return held.length === rows ? 'opened' : 'opened as of before';
}

/** A damaged file may fail at its last write. */
function closeQuietly(db: Db): void {
  try {
    db.close();
  } catch (error) {
    codeOf(error);
  }
}

/** H7: the device's file. Each case is a file, and what lies beside it, that is opened as it is. */
export async function attackDeviceFile({ cases, seed }: RowOptions): Promise<RowReport> {
  const tally = new Tally('H7');
  const dice = createDice(seed);
  const watch = watchOwn(tally);
  const { path: folder, remove } = temporaryFolder('hostile');
  try {
    const samples: Samples = {
      closed: makeSample(folder, KEY, 'closed'),
      behind: makeSample(folder, KEY, 'behind'),
      unclean: makeSample(folder, KEY, 'unclean'),
      other: makeSample(folder, KEY, 'unclean'),
      otherKey: makeSample(folder, OTHER_KEY, 'unclean'),
      newer: makeSample(folder, KEY, 'newer'),
      foreign: makeForeign(folder),
    };
    for (let count = 0; count < cases; count += 1) {
      const make = makes[count % makes.length];
      if (!make) throw new Error('no case');
      const one = make(samples, dice, Math.floor(count / makes.length));
      const place = join(folder, String(count));
      mkdirSync(place);
      const told = (): string => `${one.name}, case ${count} of seed ${seed}`;
      try {
        tally.answered(`${one.name}: ${watch.timed(told, () => answerTo(one, join(place, 'device.db')))}`);
        rmSync(place, { recursive: true });
        mkdirSync(place);
        const sound = answerTo(whole('untouched', samples.closed), join(place, 'device.db'));
        if (sound === 'opened') watch.alive();
        else tally.found(`${told()}: a sound store after it: ${sound}`);
        rmSync(place, { recursive: true });
      } catch (error) {
        tally.answered(`${one.name}: fault`);
        tally.found(`${told()}: ${String(error)}`);
      }
    }
    return tally.report({ own: await watch.end() });
  } finally {
    remove();
  }
}
