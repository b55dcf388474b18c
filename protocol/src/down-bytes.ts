import type { Position, Sequence } from './ids.ts';
import { sequenceLength, varintLength, writeBytes, writeNumber, writeSequence } from './wire-bytes.ts';

/** The bytes of a message within a batch of the relay's, and how they are written. */
export type DownPart = {
  /** How many bytes `write` writes. */
  readonly length: number;
  /** Writes them from `at` on, and answers where the next ones go. */
  write(out: Buffer, at: number): number;
};

/** A delivery: the envelope's bytes as they are stored, behind where they stand in the mailbox. */
export function deliverPart(position: Position, envelope: Uint8Array): DownPart {
  const place = 10 + (position.number > 0 ? 1 + varintLength(position.number) : 0);
  const spliced = envelope.length > 0 ? 1 + varintLength(envelope.length) + envelope.length : 0;
  const inner = 2 + place + spliced;
  return {
    length: wrapped(inner),
    write(out, from) {
      let at = wrap(out, from, 0x1a, inner);
      at = writeNumber(out, writeNumber(out, at, 0x0a, place), 0x0a, 8);
      at += out.write(position.incarnation, at, 8, 'base64url');
      if (position.number > 0) at = writeNumber(out, at, 0x10, position.number);
      return spliced > 0 ? writeBytes(out, at, 0x12, envelope) : at;
    },
  };
}

/** The answer to a submit. */
export function acceptedPart(accepted: {
  readonly request: number;
  readonly duplicate: boolean;
  readonly n: number;
  readonly attempt: number;
  readonly sequence?: Sequence;
  readonly predecessor?: Sequence;
  readonly serverTimeMs: number;
}): DownPart {
  const { request, duplicate, n, attempt, sequence, predecessor, serverTimeMs } = accepted;
  const inner =
    numberLength(request) +
    (duplicate ? 2 : 0) +
    numberLength(n) +
    numberLength(attempt) +
    (sequence ? 2 + sequenceLength(sequence.era, sequence.number) : 0) +
    (predecessor ? 2 + sequenceLength(predecessor.era, predecessor.number) : 0) +
    numberLength(serverTimeMs);
  return {
    length: wrapped(inner),
    write(out, from) {
      let at = wrap(out, from, 0x32, inner);
      if (request > 0) at = writeNumber(out, at, 0x08, request);
      if (duplicate) at = writeNumber(out, at, 0x10, 1);
      if (n > 0) at = writeNumber(out, at, 0x18, n);
      if (attempt > 0) at = writeNumber(out, at, 0x20, attempt);
      if (sequence) at = writeSequence(out, at, 0x2a, sequence.era, sequence.number);
      if (predecessor) at = writeSequence(out, at, 0x32, predecessor.era, predecessor.number);
      return serverTimeMs > 0 ? writeNumber(out, at, 0x38, serverTimeMs) : at;
    },
  };
}

/** A message whose bytes, as one of a batch, are there already. */
export function readyPart(bytes: Uint8Array): DownPart {
  return {
    length: bytes.length,
    write(out, at) {
      out.set(bytes, at);
      return at + bytes.length;
    },
  };
}

export function joinParts(parts: readonly DownPart[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = Buffer.allocUnsafe(length);
  let at = 0;
  for (const part of parts) at = part.write(out, at);
  return out;
}

function numberLength(value: number): number {
  return value > 0 ? 1 + varintLength(value) : 0;
}

/** The length of a message of the batch around so many bytes of fields. */
function wrapped(inner: number): number {
  const message = 1 + varintLength(inner) + inner;
  return 1 + varintLength(message) + message;
}

function wrap(out: Buffer, at: number, tag: number, inner: number): number {
  return writeNumber(out, writeNumber(out, at, 0x0a, 1 + varintLength(inner) + inner), tag, inner);
}
