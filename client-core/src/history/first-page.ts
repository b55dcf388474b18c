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
  const logged = hasLog(path) ? withFile(`${path}-wal`, pageInLog) : undefined;
  const good = [logged, page].find((bytes) => bytes?.length === PAGE_BYTES && isGood(bytes, key));
  return good ? { type: 'good', version: userVersion(good, key) } : { type: 'unreadable', start: page.subarray(0, 16) };
}

/** `unreadable`: another key's, or nothing of the kind; `start` is how the file begins. */
export type FirstPage =
  { readonly type: 'good'; readonly version: number } | { readonly type: 'unreadable'; readonly start: Buffer };

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

function isGood(page: Buffer, key: Uint8Array): boolean {
  const salt = page.subarray(0, SALT_BYTES).map((byte) => byte ^ 0x3a);
  const macKey = pbkdf2Sync(key, salt, 2, key.length, 'sha512');
  const mac = createHmac('sha512', macKey)
    .update(page.subarray(SALT_BYTES, BODY_END + IV_BYTES))
    .update(Uint8Array.of(1, 0, 0, 0))
    .digest();
  return timingSafeEqual(mac, page.subarray(BODY_END + IV_BYTES));
}

function userVersion(page: Buffer, key: Uint8Array): number {
  const cipher = createDecipheriv('aes-256-cbc', key, page.subarray(BODY_END, BODY_END + IV_BYTES));
  cipher.setAutoPadding(false);
  const body = cipher.update(page.subarray(SALT_BYTES, BODY_END));
  return body.readUInt32BE(USER_VERSION_AT - SALT_BYTES);
}

/** The first page as the log's last commit left it, if it is in the log. */
function pageInLog(log: number): Buffer | undefined {
  const salts = readAt(log, 16, 8);
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
  return committed === undefined ? undefined : readAt(log, committed, PAGE_BYTES);
}
