import { createDecipheriv, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs';

export const PAGE_BYTES = 4_096;
const SALT_BYTES = 16;
const IV_BYTES = 16;
const MAC_BYTES = 64;
const BODY_END = PAGE_BYTES - IV_BYTES - MAC_BYTES;
const USER_VERSION_AT = 60;
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;

/**
 * What the first page of an encrypted file says under a key, read without SQLite: SQLite would fold the write-ahead log of
 * an unclean end into a file that is then refused. Reads the page as SQLCipher 4 writes it (salt, AES-256-CBC, IV,
 * HMAC-SHA512 over body, IV and page number), the newest committed one of the log first.
 */
export function readFirstPage(path: string, key: Uint8Array): FirstPage {
  const page = withFile(path, (file) => readAt(file, 0, PAGE_BYTES));
  const log = hasLog(path) ? withFile(`${path}-wal`, readLog) : undefined;
  const salt = page.subarray(0, SALT_BYTES);
  const good = [log?.firstPage, page].find((bytes) => bytes !== undefined && isOf(bytes, 1, bytes, key));
  if (good === undefined) return { type: 'unreadable', start: salt };
  const first = log?.firstFrame;
  if (first && !isOf(first.page, first.number, salt, key)) return { type: 'other_log' };
  return { type: 'good', version: userVersion(good, key) };
}

/**
 * `unreadable`: another key's, or nothing of the kind; `start` is how the file begins. `other_log`: the log beside the file
 * is whole, but another file's: SQLite would write its pages over this one's.
 */
export type FirstPage =
  | { readonly type: 'good'; readonly version: number }
  | { readonly type: 'unreadable'; readonly start: Buffer }
  | { readonly type: 'other_log' };

/** Whether a write-ahead log with something in it lies beside the file: its last user did not end in order. */
export function hasLog(path: string): boolean {
  return existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > WAL_HEADER_BYTES;
}

/** Bytes of an open file; fewer where it ends. */
function readAt(file: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(file, bytes, 0, length, offset));
}

function withFile<T>(path: string, read: (file: number) => T): T {
  const file = openSync(path, 'r');
  try {
    return read(file);
  } finally {
    closeSync(file);
  }
}

/** Whether a page is the one of this number of the file that begins with this salt, under the key. */
function isOf(page: Buffer, number: number, fileStart: Buffer, key: Uint8Array): boolean {
  if (page.length !== PAGE_BYTES || fileStart.length < SALT_BYTES) return false;
  const salt = fileStart.subarray(0, SALT_BYTES).map((byte) => byte ^ 0x3a);
  const macKey = pbkdf2Sync(key, salt, 2, key.length, 'sha512');
  const place = Buffer.alloc(4);
  place.writeUInt32LE(number);
  const mac = createHmac('sha512', macKey)
    .update(page.subarray(number === 1 ? SALT_BYTES : 0, BODY_END + IV_BYTES))
    .update(place)
    .digest();
  return timingSafeEqual(mac, page.subarray(BODY_END + IV_BYTES));
}

function userVersion(page: Buffer, key: Uint8Array): number {
  const cipher = createDecipheriv('aes-256-cbc', key, page.subarray(BODY_END, BODY_END + IV_BYTES));
  cipher.setAutoPadding(false);
  const body = cipher.update(page.subarray(SALT_BYTES, BODY_END));
  return body.readUInt32BE(USER_VERSION_AT - SALT_BYTES);
}

type Log = {
  /** The first page as the log's last commit left it, if it is in the log. */
  readonly firstPage: Buffer | undefined;
  /** What the log begins with, if SQLite would take it: a torn one it passes over. */
  readonly firstFrame: { readonly number: number; readonly page: Buffer } | undefined;
};

function readLog(log: number): Log {
  const header = readAt(log, 0, WAL_HEADER_BYTES);
  const salts = header.subarray(16, 24);
  let seen: number | undefined;
  let committed: number | undefined;
  const { size } = fstatSync(log);
  for (let at = WAL_HEADER_BYTES; at + FRAME_BYTES <= size; at += FRAME_BYTES) {
    const frame = readAt(log, at, FRAME_HEADER_BYTES);
    // Frames of an earlier round have other salts.
    if (!frame.subarray(8, 16).equals(salts)) break;
    if (frame.readUInt32BE(0) === 1) seen = at + FRAME_HEADER_BYTES;
    if (frame.readUInt32BE(4) > 0) committed = seen;
  }
  const first = readAt(log, WAL_HEADER_BYTES, FRAME_BYTES);
  return {
    firstPage: committed === undefined ? undefined : readAt(log, committed, PAGE_BYTES),
    firstFrame: isWhole(header, first)
      ? { number: first.readUInt32BE(0), page: first.subarray(FRAME_HEADER_BYTES) }
      : undefined,
  };
}

/** Whether header and first frame have the salts and checksums of SQLite's log. */
function isWhole(header: Buffer, frame: Buffer): boolean {
  if (header.length < WAL_HEADER_BYTES || frame.length < FRAME_BYTES) return false;
  if (!frame.subarray(8, 16).equals(header.subarray(16, 24))) return false;
  const isBigEndian = (header.readUInt32BE(0) & 1) === 1;
  const begun = checksum(header.subarray(0, 24), [0, 0], isBigEndian);
  const sum = checksum(
    frame.subarray(FRAME_HEADER_BYTES),
    checksum(frame.subarray(0, 8), begun, isBigEndian),
    isBigEndian,
  );
  return isSum(begun, header.subarray(24)) && isSum(sum, frame.subarray(16, 24));
}

type Sum = readonly [number, number];

/** SQLite's checksum of a log, going on from `sum`. */
function checksum(bytes: Buffer, sum: Sum, isBigEndian: boolean): Sum {
  let [one, two] = sum;
  for (let at = 0; at < bytes.length; at += 8) {
    const [left, right] = isBigEndian
      ? [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)]
      : [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
    one = (one + left + two) >>> 0;
    two = (two + right + one) >>> 0;
  }
  return [one, two];
}

function isSum([one, two]: Sum, stored: Buffer): boolean {
  return stored.readUInt32BE(0) === one && stored.readUInt32BE(4) === two;
}
