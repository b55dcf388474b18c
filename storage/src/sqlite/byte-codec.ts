import { writeUuid, type AccountId, type Handle, type MessageId } from '@waxwing/protocol';

/** Writes numbers and bytes one after the other; `createByteReader` reads them in the same order. */
export type ByteWriter = {
  /** A whole number from 0 to 2^53 - 1, in 1 to 8 bytes. */
  number(value: number): void;
  optional(value: number | undefined): void;
  /** Bytes with their length before them. */
  bytes(value: Uint8Array): void;
  text(value: string): void;
  /** Text of ASCII characters only. */
  ascii(value: string): void;
  /** As 16 bytes. */
  uuid(value: AccountId | MessageId): void;
  /** As 32 bytes. */
  handle(value: Handle): void;
  /** Bytes whose length the reader knows. */
  fixed(value: Uint8Array): void;
  /** What was written: a view that holds until the writer is used again. */
  finish(): Uint8Array;
  /** How many bytes were written. */
  readonly length: number;
  /** Takes back what was written after so many bytes; the memory stays. */
  cutTo(length: number): void;
};

export type ByteReader = {
  number(): number;
  optional(): number | undefined;
  bytes(): Uint8Array;
  text(): string;
  ascii(): string;
  fixed(length: number): Uint8Array;
  readonly atEnd: boolean;
};

export function createByteWriter(): ByteWriter {
  let buffer = Buffer.allocUnsafe(512);
  let at = 0;
  const room = (length: number): void => {
    if (at + length <= buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * buffer.length, at + length));
    buffer.copy(larger, 0, 0, at);
    buffer = larger;
  };
  const number = (value: number): void => {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('a whole number from 0 to 2^53 - 1');
    room(8);
    let rest = value;
    while (rest > 0x7fff_ffff) {
      buffer[at++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      buffer[at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    buffer[at++] = rest;
  };
  const fixed = (value: Uint8Array): void => {
    room(value.length);
    buffer.set(value, at);
    at += value.length;
  };
  const bytes = (value: Uint8Array): void => {
    number(value.length);
    fixed(value);
  };
  return {
    number,
    optional(value) {
      number(value === undefined ? 0 : 1);
      if (value !== undefined) number(value);
    },
    bytes,
    text(value) {
      const length = Buffer.byteLength(value);
      number(length);
      room(length);
      at += buffer.write(value, at);
    },
    ascii(value) {
      number(value.length);
      room(value.length);
      at += buffer.write(value, at, value.length, 'latin1');
    },
    uuid(value) {
      room(16);
      at = writeUuid(buffer, at, value);
    },
    handle(value) {
      room(32);
      at += buffer.write(value, at, 32, 'base64url');
    },
    fixed,
    finish: () => buffer.subarray(0, at),
    get length() {
      return at;
    },
    cutTo(length) {
      at = length;
    },
  };
}

/** Throws a RangeError where the bytes end too early. */
export function createByteReader(source: Uint8Array): ByteReader {
  const view = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (at >= view.length) throw new RangeError('the bytes end too early');
      const byte = view[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const fixed = (length: number): Uint8Array => {
    if (at + length > view.length) throw new RangeError('the bytes end too early');
    at += length;
    return view.subarray(at - length, at);
  };
  return {
    number,
    optional: () => (number() === 0 ? undefined : number()),
    bytes: () => fixed(number()),
    text() {
      const length = number();
      if (at + length > view.length) throw new RangeError('the bytes end too early');
      at += length;
      return view.toString('utf8', at - length, at);
    },
    ascii() {
      const length = number();
      if (at + length > view.length) throw new RangeError('the bytes end too early');
      at += length;
      return view.toString('latin1', at - length, at);
    },
    fixed,
    get atEnd() {
      return at === view.length;
    },
  };
}
