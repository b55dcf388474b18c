import { accountIdFromBytes, handleFromBytes, messageIdFromBytes, parseDeviceId, parseEra } from './ids.ts';
import { limits } from './limits.ts';
import type { Seen } from './seen.ts';
import { frameVersion } from './version.ts';
import {
  cursorOver,
  hasTag,
  isWhole,
  readBytes,
  readEnd,
  readFixed,
  readUint32,
  readUuid,
  readVarint,
  type Cursor,
} from './wire-bytes.ts';

/**
 * What a frame says, if it is written as this version writes one: fields in order, nothing unknown, nothing out of its
 * range. Undefined for every other one, which is to be read in another way; what is answered is what that way would answer.
 */
export function readFrame(bytes: Uint8Array) {
  const cursor = cursorOver(bytes);
  if (!hasTag(cursor, 0x08) || readUint32(cursor) !== frameVersion) return undefined;
  const handle = hasTag(cursor, 0x12) ? readFixed(cursor, 32) : undefined;
  if (!hasTag(cursor, 0x1a)) return undefined;
  const account = readUuid(cursor);
  const device = hasTag(cursor, 0x20) ? readUint32(cursor) : 0;
  if (!hasTag(cursor, 0x2a)) return undefined;
  const messageId = readUuid(cursor);
  const kind = hasTag(cursor, 0x30) ? readUint32(cursor) : 0;
  const place = handle && readPlace(cursor, handle);
  const list = hasTag(cursor, 0x5a) ? readList(cursor) : undefined;
  const sentAtMs = hasTag(cursor, 0x68) ? readVarint(cursor) : 0;
  const body = hasTag(cursor, 0x72) ? readBytes(cursor) : bytes.subarray(0, 0);
  if (hasTag(cursor, 0x7a)) readBytes(cursor);
  if (!isWhole(cursor) || device < 1 || device > 127 || kind < 1 || list === undefined) return undefined;
  return {
    sender: { account: accountIdFromBytes(account), device: parseDeviceId(device) },
    messageId: messageIdFromBytes(messageId),
    kind,
    ...(place && { place }),
    list,
    sentAtMs,
    body,
  };
}

function readPlace(cursor: Cursor, handle: Uint8Array) {
  const n = hasTag(cursor, 0x38) ? readUint32(cursor) : 0;
  if (n < 1 || !hasTag(cursor, 0x42)) cursor.failed = true;
  const prev = readFixed(cursor, 32);
  const replaces: Uint8Array[] = [];
  while (!cursor.failed && hasTag(cursor, 0x4a)) replaces.push(readFixed(cursor, 32));
  if (replaces.length > limits.replacesPerFrame) cursor.failed = true;
  const seen = hasTag(cursor, 0x52) ? readSeen(cursor) : undefined;
  if (cursor.failed) return undefined;
  return { handle: handleFromBytes(handle), n, prev, replaces, ...(seen && { seen }) };
}

function readSeen(cursor: Cursor): Seen | undefined {
  const outer = cursor.end;
  cursor.end = readEnd(cursor);
  const era = hasTag(cursor, 0x08) ? readVarint(cursor) : 0;
  const from = hasTag(cursor, 0x10) ? readVarint(cursor) : 0;
  const to = hasTag(cursor, 0x18) ? readVarint(cursor) : 0;
  if (!hasTag(cursor, 0x22)) cursor.failed = true;
  const hash = readFixed(cursor, 32);
  if (!isWhole(cursor) || era < 1 || from < 1 || to < from || to - from >= limits.seenMaxNumbers) cursor.failed = true;
  cursor.end = outer;
  return cursor.failed ? undefined : { era: parseEra(era), from, to, hash };
}

function readList(cursor: Cursor) {
  const outer = cursor.end;
  cursor.end = readEnd(cursor);
  const version = hasTag(cursor, 0x08) ? readUint32(cursor) : 0;
  if (version < 1 || !hasTag(cursor, 0x12)) cursor.failed = true;
  const hashPrefix = readFixed(cursor, 8);
  if (!isWhole(cursor)) cursor.failed = true;
  cursor.end = outer;
  return { version, hashPrefix };
}
