import {
  fromBinary,
  fromJsonString,
  toBinary,
  toJsonString,
  type DescMessage,
  type MessageShape,
} from '@bufbuild/protobuf';
import {
  handleFromBytes,
  handleToBytes,
  incarnationToBytes,
  parseEra,
  parsePosition,
  type Handle,
  type Position,
  type Sequence,
} from './ids.ts';
import { ProtocolError } from './errors.ts';

// The step between generated messages and the values of this package, shared by the files that each own one message.

/** Binary is the wire's form; JSON carries the same for debugging. */
export type Form = 'binary' | 'json';

export function malformed(what: string): never {
  throw new ProtocolError('malformed', what);
}

export function refuseOver(length: number, max: number, what: string): void {
  if (length > max) throw new ProtocolError('too_large', what);
}

/** Decodes a message, refusing bytes that are short, over `max`, or followed by what is no field. */
export function decode<D extends DescMessage>(schema: D, bytes: Uint8Array, max: number): MessageShape<D> {
  refuseOver(bytes.length, max, schema.name);
  try {
    return fromBinary(schema, bytes);
  } catch {
    return malformed(schema.name);
  }
}

export function decodeForm<D extends DescMessage>(
  schema: D,
  data: Uint8Array,
  max: number,
  form: Form,
): MessageShape<D> {
  if (form === 'binary') return decode(schema, data, max);
  refuseOver(data.length, max, schema.name);
  try {
    return fromJsonString(schema, new TextDecoder('utf-8', { fatal: true }).decode(data));
  } catch {
    return malformed(schema.name);
  }
}

export function encodeForm<D extends DescMessage>(schema: D, message: MessageShape<D>, form: Form): Uint8Array {
  return form === 'binary' ? toBinary(schema, message) : Buffer.from(toJsonString(schema, message));
}

/** Refuses fields that the schema does not have: a server keeps nothing that it cannot name. */
export function noUnknown(message: { $unknown?: unknown[] | undefined; $typeName: string }): void {
  if (message.$unknown !== undefined && message.$unknown.length > 0) malformed(message.$typeName);
}

export function required<T>(value: T | undefined, what: string): T {
  return value ?? malformed(what);
}

export function atMost<T>(list: readonly T[], max: number, what: string): readonly T[] {
  refuseOver(list.length, max, what);
  return list;
}

export function exactly(bytes: Uint8Array, length: number, what: string): Uint8Array {
  return bytes.length === length ? bytes : malformed(what);
}

/** A 64-bit field as a number; refused beyond 2^53. */
export function toNumber(value: bigint, what: string): number {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : malformed(what);
}

export function toCount(value: number, what: string): number {
  return value >= 1 ? value : malformed(what);
}

type SequenceShape = { era: bigint; number: bigint };

/** Era and number both start at 1. */
export function toSequence(shape: SequenceShape): Sequence {
  return { era: parseEra(toNumber(shape.era, 'era')), number: toCount(toNumber(shape.number, 'number'), 'number') };
}

export function fromSequence(sequence: Sequence): SequenceShape {
  return { era: BigInt(sequence.era), number: BigInt(sequence.number) };
}

type PositionShape = { incarnation: Uint8Array; number: bigint };

export function toPosition(shape: PositionShape): Position {
  return parsePosition(shape.incarnation, toNumber(shape.number, 'position'));
}

export function fromPosition(position: Position): PositionShape {
  return { incarnation: incarnationToBytes(position.incarnation), number: BigInt(position.number) };
}

export function toHandle(bytes: Uint8Array): Handle {
  return handleFromBytes(bytes);
}

export function fromHandle(handle: Handle): Uint8Array {
  return handleToBytes(handle);
}
