import type { Position, Sequence } from './ids.ts';
import { sequenceLength, varintLength, writeBytes, writeNumber, writeSequence } from './wire-bytes.ts';

// Messages within a batch of the relay's: how many bytes each takes, and how it is written. A length is asked for twice, once
// for the batch and once for the message: that is less than keeping it would be.

type Deliver = { readonly position: Position; readonly envelope: Uint8Array };

type Accepted = {
  readonly request: number;
  readonly duplicate: boolean;
  readonly n: number;
  readonly attempt: number;
  readonly sequence?: Sequence;
  readonly predecessor?: Sequence;
  readonly serverTimeMs: number;
};

/** How long a delivery is as a message of a batch. */
export function deliverLength(deliver: Deliver): number {
  return wrapped(deliverInner(deliver));
}

/** Writes the envelope's bytes as they are stored, behind where they stand in the mailbox; answers where the next byte goes. */
export function writeDeliver(out: Buffer, from: number, deliver: Deliver): number {
  const { position, envelope } = deliver;
  let at = wrap(out, from, 0x1a, deliverInner(deliver));
  at = writeNumber(out, writeNumber(out, at, 0x0a, placeLength(position)), 0x0a, 8);
  at += out.write(position.incarnation, at, 8, 'base64url');
  if (position.number > 0) at = writeNumber(out, at, 0x10, position.number);
  return envelope.length > 0 ? writeBytes(out, at, 0x12, envelope) : at;
}

/** How long the answer to a submit is as a message of a batch. */
export function acceptedLength(accepted: Accepted): number {
  return wrapped(acceptedInner(accepted));
}

/** Writes the answer to a submit; answers where the next byte goes. */
export function writeAccepted(out: Buffer, from: number, accepted: Accepted): number {
  const { request, duplicate, n, attempt, sequence, predecessor, serverTimeMs } = accepted;
  let at = wrap(out, from, 0x32, acceptedInner(accepted));
  if (request > 0) at = writeNumber(out, at, 0x08, request);
  if (duplicate) at = writeNumber(out, at, 0x10, 1);
  if (n > 0) at = writeNumber(out, at, 0x18, n);
  if (attempt > 0) at = writeNumber(out, at, 0x20, attempt);
  if (sequence) at = writeSequence(out, at, 0x2a, sequence.era, sequence.number);
  if (predecessor) at = writeSequence(out, at, 0x32, predecessor.era, predecessor.number);
  return serverTimeMs > 0 ? writeNumber(out, at, 0x38, serverTimeMs) : at;
}

function deliverInner({ position, envelope }: Deliver): number {
  const spliced = envelope.length > 0 ? 1 + varintLength(envelope.length) + envelope.length : 0;
  return 2 + placeLength(position) + spliced;
}

function placeLength({ number }: Position): number {
  return 10 + numberLength(number);
}

function acceptedInner({ request, duplicate, n, attempt, sequence, predecessor, serverTimeMs }: Accepted): number {
  return (
    numberLength(request) +
    (duplicate ? 2 : 0) +
    numberLength(n) +
    numberLength(attempt) +
    (sequence ? 2 + sequenceLength(sequence.era, sequence.number) : 0) +
    (predecessor ? 2 + sequenceLength(predecessor.era, predecessor.number) : 0) +
    numberLength(serverTimeMs)
  );
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
