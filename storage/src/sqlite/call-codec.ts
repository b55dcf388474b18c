import { parseEra, type Sequence } from '@waxwing/protocol';
import type { SubmitResult } from '../mailbox-store.ts';
import type { ByteReader, ByteWriter } from './byte-codec.ts';
import type { Answer, Arrival, Request } from './calls.ts';
import {
  readDevice,
  readDirect,
  readSubmit,
  writeDevice,
  writeDirect,
  writeSubmit,
  type IsHeard,
} from './submit-codec.ts';

// A batch of calls, and of answers, as one array of bytes that is handed over: posting objects costs more than what the
// thread does with them. What is asked often is packed; the rest travels beside, and only its place is packed.

const callKinds = { other: 0, submit: 1, direct: 2, ack: 3, read: 4 } as const;
const answerKinds = { other: 0, submitted: 1, sent: 2, acked: 3, page: 4 } as const;

const nobody: IsHeard = () => false;

/** A call, and for which devices it is to answer with what arrived. */
export type ReceivedCall = { readonly request: Request; readonly isHeard: IsHeard };

/** Packs the call; false where it is to travel beside. */
export function writeCall(writer: ByteWriter, request: Request, isHeard: IsHeard): boolean {
  switch (request.name) {
    case 'submit':
      writer.number(callKinds.submit);
      writeSubmit(writer, request.args[0], isHeard);
      return true;
    case 'submitDirect':
      writer.number(callKinds.direct);
      writeDirect(writer, request.args[0], isHeard);
      return true;
    case 'ack': {
      const [device, { incarnation, number }] = request.args;
      writer.number(callKinds.ack);
      writeDevice(writer, device);
      writer.ascii(incarnation);
      writer.number(number);
      return true;
    }
    case 'read': {
      const [device, after, max] = request.args;
      writer.number(callKinds.read);
      writeDevice(writer, device);
      writer.number(after);
      writer.number(max.entries);
      writer.number(max.bytes);
      return true;
    }
    default:
      writer.number(callKinds.other);
      return false;
  }
}

/** The next call; `other` is asked for one that travels beside. */
export function readCall(reader: ByteReader, other: () => Request): ReceivedCall {
  switch (reader.number()) {
    case callKinds.submit: {
      const { submit, isHeard } = readSubmit(reader);
      return { request: { name: 'submit', args: [submit] }, isHeard };
    }
    case callKinds.direct: {
      const { submit, isHeard } = readDirect(reader);
      return { request: { name: 'submitDirect', args: [submit] }, isHeard };
    }
    case callKinds.ack: {
      const [device, incarnation, number] = [readDevice(reader), reader.ascii(), reader.number()];
      return { request: { name: 'ack', args: [device, { incarnation, number }] }, isHeard: nobody };
    }
    case callKinds.read: {
      const [device, after] = [readDevice(reader), reader.number()];
      const max = { entries: reader.number(), bytes: reader.number() };
      return { request: { name: 'read', args: [device, after, max] }, isHeard: nobody };
    }
    default:
      return { request: other(), isHeard: nobody };
  }
}

/** Packs the answer; false where it is to travel beside. */
export function writeAnswer(writer: ByteWriter, answer: Answer): boolean {
  switch (answer.type) {
    case 'submitted':
      if (answer.value.type !== 'accepted') break;
      writer.number(answerKinds.submitted);
      writeAccepted(writer, answer.value);
      return true;
    case 'sent':
      if (answer.value.type !== 'accepted') break;
      writer.number(answerKinds.sent);
      writer.number(answer.value.duplicate ? 1 : 0);
      writer.number(answer.value.serverTimeMs);
      return true;
    case 'acked':
      if (answer.value.type !== 'trimmed') break;
      writer.number(answerKinds.acked);
      return true;
    case 'page':
      if (answer.value.marks.length > 0) break;
      writer.number(answerKinds.page);
      writer.number(answer.value.entries.length);
      for (const { number, envelope } of answer.value.entries) {
        writer.number(number);
        writer.bytes(envelope);
      }
      return true;
    case 'answer':
    case 'store_full':
    case 'fault':
      break;
  }
  writer.number(answerKinds.other);
  return false;
}

/** The next answer; `other` is asked for one that travels beside. */
export function readAnswer(reader: ByteReader, other: () => Answer): Answer {
  switch (reader.number()) {
    case answerKinds.submitted:
      return { type: 'submitted', value: readAccepted(reader) };
    case answerKinds.sent: {
      const [duplicate, serverTimeMs] = [reader.number() === 1, reader.number()];
      return { type: 'sent', value: { type: 'accepted', duplicate, serverTimeMs } };
    }
    case answerKinds.acked:
      return { type: 'acked', value: { type: 'trimmed' } };
    case answerKinds.page: {
      const entries = [];
      for (let left = reader.number(); left > 0; left -= 1) {
        entries.push({ number: reader.number(), envelope: reader.bytes() });
      }
      return { type: 'page', value: { entries, marks: [] } };
    }
    default:
      return other();
  }
}

/** An envelope that goes to several devices stands once, at the first of them. */
export function writeArrivals(writer: ByteWriter, arrivals: readonly Arrival[]): void {
  let last: Uint8Array | undefined;
  for (const { device, entry } of arrivals) {
    const isNew = entry.envelope !== last;
    last = entry.envelope;
    writer.number(isNew ? 1 : 0);
    if (isNew) writer.bytes(entry.envelope);
    writeDevice(writer, device);
    writer.ascii(entry.incarnation);
    writer.number(entry.number);
  }
}

/** All that follow. */
export function* readArrivals(reader: ByteReader): Iterable<Arrival> {
  let envelope: Uint8Array = new Uint8Array(0);
  while (!reader.atEnd) {
    if (reader.number() === 1) envelope = reader.bytes();
    const [device, incarnation, number] = [readDevice(reader), reader.ascii(), reader.number()];
    yield { device, entry: { incarnation, number, envelope } };
  }
}

type Accepted = Extract<SubmitResult, { type: 'accepted' }>;

function writeAccepted(
  writer: ByteWriter,
  { duplicate, attempt, sequence, predecessor, serverTimeMs }: Accepted,
): void {
  writer.number((duplicate ? 2 : 0) + (predecessor ? 1 : 0));
  writer.number(attempt);
  writeSequence(writer, sequence);
  if (predecessor) writeSequence(writer, predecessor);
  writer.number(serverTimeMs);
}

function readAccepted(reader: ByteReader): Accepted {
  const [flags, attempt, sequence] = [reader.number(), reader.number(), readSequence(reader)];
  const predecessor = flags % 2 === 1 ? readSequence(reader) : undefined;
  const serverTimeMs = reader.number();
  const duplicate = flags > 1;
  return { type: 'accepted', duplicate, attempt, sequence, ...(predecessor && { predecessor }), serverTimeMs };
}

function writeSequence(writer: ByteWriter, { era, number }: Sequence): void {
  writer.number(era);
  writer.number(number);
}

function readSequence(reader: ByteReader): Sequence {
  return { era: parseEra(reader.number()), number: reader.number() };
}
