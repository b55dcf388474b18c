import { isUuidBytes, parseEra, type Sequence } from './ids.ts';

// Protobuf's bytes by hand, for the few messages that every message of a conversation is made of. Who reads with a cursor
// reads what is usual; where anything is not, it answers undefined, and the generated code reads instead and judges.

/** How many bytes a whole number from 0 to 2^53 - 1 takes. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) length += 1;
  return length;
}

/** Writes a whole number from 0 to 2^53 - 1; answers where the next byte goes. */
function writeVarint(out: Uint8Array, at: number, value: number): number {
  let next = at;
  let rest = value;
  while (rest > 0x7fff_ffff) {
    out[next++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  while (rest > 127) {
    out[next++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  out[next++] = rest;
  return next;
}

/** Writes a tag and a number. */
export function writeNumber(out: Uint8Array, at: number, tag: number, value: number): number {
  out[at] = tag;
  return writeVarint(out, at + 1, value);
}

/** Writes a tag, a length and these bytes. */
export function writeBytes(out: Uint8Array, at: number, tag: number, bytes: Uint8Array): number {
  const from = writeNumber(out, at, tag, bytes.length);
  out.set(bytes, from);
  return from + bytes.length;
}

/** How many bytes the two fields of a sequence take. */
export function sequenceLength(era: number, number: number): number {
  return 2 + varintLength(era) + varintLength(number);
}

/** Writes a tag, a length and a sequence. */
export function writeSequence(out: Uint8Array, at: number, tag: number, era: number, number: number): number {
  const inner = writeNumber(out, at, tag, sequenceLength(era, number));
  return writeNumber(out, writeNumber(out, inner, 0x08, era), 0x10, number);
}

/** A place in bytes. Where something is not as asked, `failed` is set for good, and what was answered means nothing. */
export type Cursor = {
  readonly bytes: Uint8Array;
  at: number;
  end: number;
  failed: boolean;
};

export function cursorOver(bytes: Uint8Array): Cursor {
  return { bytes, at: 0, end: bytes.length, failed: false };
}

/** A whole number from 0 to 2^53 - 1. */
export function readVarint(cursor: Cursor): number {
  const { bytes, end } = cursor;
  let value = 0;
  for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
    const byte = cursor.at < end ? (bytes[cursor.at++] ?? 0) : 128;
    value += (byte & 127) * scale;
    if (byte < 128) {
      if (value > Number.MAX_SAFE_INTEGER) cursor.failed = true;
      return value;
    }
  }
  cursor.failed = true;
  return 0;
}

/** A whole number below 2^32. */
export function readUint32(cursor: Cursor): number {
  const value = readVarint(cursor);
  if (value > 0xffff_ffff) cursor.failed = true;
  return value;
}

/** Bytes with their length before them, as a view. */
export function readBytes(cursor: Cursor): Uint8Array {
  const to = readEnd(cursor);
  const from = cursor.at;
  cursor.at = to;
  return cursor.bytes.subarray(from, to);
}

/** The length of what follows, as the place where it ends. */
export function readEnd(cursor: Cursor): number {
  const length = readVarint(cursor);
  if (length > cursor.end - cursor.at) cursor.failed = true;
  return cursor.failed ? cursor.at : cursor.at + length;
}

/** Steps over this byte if it is the next one: a field of this tag follows. */
export function hasTag(cursor: Cursor, tag: number): boolean {
  if (cursor.at >= cursor.end || cursor.bytes[cursor.at] !== tag) return false;
  cursor.at += 1;
  return true;
}

/** Bytes of this length. */
export function readFixed(cursor: Cursor, length: number): Uint8Array {
  const bytes = readBytes(cursor);
  if (bytes.length !== length) cursor.failed = true;
  return bytes;
}

/** Bytes of a UUID. */
export function readUuid(cursor: Cursor): Uint8Array {
  const bytes = readFixed(cursor, 16);
  if (!isUuidBytes(bytes)) cursor.failed = true;
  return bytes;
}

/** A tag and the number 0 or 1; false where the tag is not the next. */
export function readFlag(cursor: Cursor, tag: number): boolean {
  if (!hasTag(cursor, tag)) return false;
  const value = readVarint(cursor);
  if (value > 1) cursor.failed = true;
  return value === 1;
}

/** Era and number, both from 1; undefined where they are not. */
export function readSequence(cursor: Cursor): Sequence | undefined {
  const outer = cursor.end;
  cursor.end = readEnd(cursor);
  const era = hasTag(cursor, 0x08) ? readVarint(cursor) : 0;
  const number = hasTag(cursor, 0x10) ? readVarint(cursor) : 0;
  if (era < 1 || number < 1 || !isWhole(cursor)) cursor.failed = true;
  cursor.end = outer;
  return cursor.failed ? undefined : { era: parseEra(era), number };
}

/** Whether everything was read, and nothing was amiss. */
export function isWhole(cursor: Cursor): boolean {
  return !cursor.failed && cursor.at === cursor.end;
}
