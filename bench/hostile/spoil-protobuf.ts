import type { Dice } from './dice.ts';

/** A field as it stands in the bytes: `payload` is a varint's bytes, fixed bytes, or what a length counts. */
type Field = { readonly number: number; readonly wire: number; readonly payload: Buffer; readonly saysBytes?: number };

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = BigInt(value);
  for (; left >= 0x80n; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(left)]);
}

/** Where a varint ends, and what it says; undefined where there is none of up to five bytes. */
function readVarint(bytes: Buffer, at: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let index = 0; index < 5 && at + index < bytes.length; index += 1) {
    const byte = bytes.readUInt8(at + index);
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, end: at + index + 1 };
  }
  return undefined;
}

function endOfVarint(bytes: Buffer, at: number): number | undefined {
  for (let end = at; end < bytes.length && end < at + 10; end += 1) if (bytes.readUInt8(end) < 0x80) return end + 1;
  return undefined;
}

/** The fields of a message; undefined for bytes that are none. */
function readFields(bytes: Buffer): Field[] | undefined {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = readVarint(bytes, at);
    if (!tag || tag.value < 8) return undefined;
    const wire = tag.value & 7;
    let from = tag.end;
    let end: number | undefined;
    if (wire === VARINT) end = endOfVarint(bytes, from);
    else if (wire === FIXED64) end = from + 8;
    else if (wire === FIXED32) end = from + 4;
    else if (wire === BYTES) {
      const length = readVarint(bytes, from);
      if (!length) return undefined;
      from = length.end;
      end = from + length.value;
    }
    if (end === undefined || end > bytes.length) return undefined;
    fields.push({ number: Math.floor(tag.value / 8), wire, payload: bytes.subarray(from, end) });
    at = end;
  }
  return fields;
}

function writeField({ number, wire, payload, saysBytes }: Field): Buffer {
  const length = wire === BYTES ? [varint(saysBytes ?? payload.length)] : [];
  return Buffer.concat([varint(number * 8 + wire), ...length, payload]);
}

const oddVarints: readonly Buffer[] = [
  Buffer.from([0]),
  Buffer.from([1]),
  Buffer.from([0x7f]),
  Buffer.from([0x80, 0x00]),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]),
  Buffer.from([0x80, 0x80, 0x80, 0x80, 0x10]),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]),
  Buffer.from([0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
  Buffer.alloc(11, 0xff),
];
const oddLengths: readonly number[] = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53];
const oddTexts: readonly Buffer[] = [
  Buffer.from([0xff, 0xfe]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from([0xc0, 0x80]),
  Buffer.from([0]),
  Buffer.from('\u202e'),
];
const DEEP = 300;
const REPEATED_MAX_BYTES = 4 * 1024 * 1024;

type Spoil = (fields: readonly Field[], at: number, field: Field, dice: Dice) => readonly Field[];

const replaced = (fields: readonly Field[], at: number, ...by: readonly Field[]): Field[] =>
  fields.flatMap((field, index) => (index === at ? by : [field]));
const withPayload = (fields: readonly Field[], at: number, field: Field, payload: Buffer): Field[] =>
  replaced(fields, at, { ...field, payload });

const spoils: readonly Spoil[] = [
  (fields, at) => replaced(fields, at),
  (fields, at, field) => replaced(fields, at, field, field),
  (fields, _at, field, dice) => {
    // Several edits of this kind, one in another, are else more than any buffer holds.
    const most = 1 + Math.floor(REPEATED_MAX_BYTES / (field.payload.length + 1));
    return [...fields, ...Array.from({ length: Math.min(1 + dice.int(600), most) }, () => field)];
  },
  (fields) => [...fields].reverse(),
  (fields, at, field, dice) => replaced(fields, at, { ...field, number: 1 + dice.int(30) }),
  (fields, at, field, dice) =>
    replaced(fields, at, field, { ...field, number: dice.pick([15, 16, 19_000, 536_870_911]) }),
  (fields, at, field, dice) => replaced(fields, at, { ...field, wire: dice.int(8) }),
  (fields, at, field, dice) => replaced(fields, at, { ...field, wire: VARINT, payload: dice.pick(oddVarints) }),
  (fields, at, field, dice) => replaced(fields, at, { ...field, wire: BYTES, saysBytes: dice.pick(oddLengths) }),
  (fields, at, field, dice) =>
    replaced(fields, at, { ...field, saysBytes: Math.max(0, field.payload.length + dice.int(5) - 2) }),
  (fields, at, field, dice) =>
    withPayload(fields, at, field, Buffer.concat([field.payload, dice.bytes(1 + dice.int(3))])),
  (fields, at, field, dice) =>
    withPayload(fields, at, field, field.payload.subarray(0, dice.int(field.payload.length))),
  (fields, at, field, dice) => withPayload(fields, at, field, Buffer.concat([dice.pick(oddTexts), field.payload])),
  (fields, at, field, dice) => withPayload(fields, at, field, Buffer.alloc(dice.int(70_000), dice.int(256))),
  (fields, at, field) => {
    let nested = field.payload;
    for (let depth = 0; depth < DEEP; depth += 1) nested = writeField({ ...field, wire: BYTES, payload: nested });
    return withPayload(fields, at, { ...field, wire: BYTES }, nested);
  },
];

const MAX_DEPTH = 6;

/** One edit that keeps most of the form of a protobuf message, at any depth; undefined for bytes that are no message. */
export function spoilProtobuf(bytes: Uint8Array, dice: Dice, depth = 0): Buffer | undefined {
  const fields = readFields(Buffer.from(bytes));
  if (!fields || fields.length === 0) return undefined;
  const at = dice.int(fields.length);
  const field = dice.pick(fields.slice(at, at + 1));
  if (field.wire === BYTES && depth < MAX_DEPTH && !dice.oneIn(4)) {
    const inner = spoilProtobuf(field.payload, dice, depth + 1);
    if (inner) return Buffer.concat(withPayload(fields, at, field, inner).map(writeField));
  }
  return Buffer.concat(dice.pick(spoils)(fields, at, field, dice).map(writeField));
}
