import {
  accountIdFromBytes,
  handleFromBytes,
  messageIdFromBytes,
  parseDeviceId,
  parseEra,
  type Sequence,
} from '@waxwing/protocol';
import type { DeviceKey } from '../device-key.ts';
import type { Delivery, RelayEvent } from '../engine/events.ts';
import { createByteReader, type ByteReader, type ByteWriter } from './byte-codec.ts';

/** Numbers of the kinds of events in the log's bytes. They are never given to another kind. 0 is padding. */
const kinds = { committed: 1, direct: 2, mailbox_begun: 3, trimmed: 4, expired: 5, dropped: 6 } as const;

const PADDING = 0;

/** Bytes of this length that hold no event. */
export function noEvents(length: number): Uint8Array {
  return new Uint8Array(length).fill(PADDING);
}

/**
 * Events as rows of the log, each to be used before the next is asked for. A row ends with the event that makes it as long
 * as `rowBytes`.
 */
export function* encodeRows(
  writer: ByteWriter,
  events: readonly RelayEvent[],
  rowBytes: number,
): Generator<Uint8Array, void> {
  writer.cutTo(0);
  for (const event of events) {
    addEvent(writer, event);
    if (writer.length < rowBytes) continue;
    yield writer.finish();
    writer.cutTo(0);
  }
  if (writer.length > 0) yield writer.finish();
}

function addEvent(writer: ByteWriter, event: RelayEvent): void {
  writer.number(kinds[event.type]);
  writeEvent(writer, event);
}

/** Throws on bytes that `encodeRows` has not made. */
export function decodeEvents(bytes: Uint8Array): RelayEvent[] {
  const reader = createByteReader(bytes);
  const events: RelayEvent[] = [];
  while (!reader.atEnd) {
    const kind = reader.number();
    if (kind !== PADDING) events.push(readEvent(reader, kind));
  }
  return events;
}

function writeEvent(writer: ByteWriter, event: RelayEvent): void {
  switch (event.type) {
    case 'committed':
      writeDevice(writer, event.sender);
      writer.handle(event.handle);
      writer.number(event.n);
      writer.number(event.attempt);
      writer.bytes(event.digest);
      writeSequence(writer, event.sequence);
      writer.number(event.predecessor ? 1 : 0);
      if (event.predecessor) writeSequence(writer, event.predecessor);
      writer.number(event.change ? 1 : 0);
      writer.number(event.serverTimeMs);
      writer.ascii(event.incarnation);
      writer.number(event.accounts.length);
      for (const account of event.accounts) writer.uuid(account);
      writeDeliveries(writer, event.deliveries);
      return;
    case 'direct':
      writeDevice(writer, event.sender);
      writer.uuid(event.messageId);
      writer.number(event.serverTimeMs);
      writeDeliveries(writer, event.deliveries);
      return;
    case 'mailbox_begun':
      writeDevice(writer, event.device);
      writer.ascii(event.incarnation);
      writer.ascii(event.drawnUnder);
      return;
    case 'trimmed':
      writeDevice(writer, event.device);
      writer.number(event.upTo);
      return;
    case 'expired':
      writeDevice(writer, event.device);
      writer.number(event.nowMs);
      return;
    case 'dropped':
      writeDevice(writer, event.device);
      return;
  }
}

function readEvent(reader: ByteReader, kind: number): RelayEvent {
  switch (kind) {
    case kinds.committed: {
      const sender = readDevice(reader);
      const handle = handleFromBytes(reader.fixed(32));
      const [n, attempt, digest] = [reader.number(), reader.number(), new Uint8Array(reader.bytes())];
      const sequence = readSequence(reader);
      const predecessor = reader.number() === 1 ? readSequence(reader) : undefined;
      const [change, serverTimeMs, incarnation] = [reader.number() === 1, reader.number(), reader.ascii()];
      const accounts = times(reader.number(), () => accountIdFromBytes(reader.fixed(16)));
      const deliveries = readDeliveries(reader);
      return {
        type: 'committed',
        sender,
        handle,
        n,
        attempt,
        digest,
        sequence,
        ...(predecessor && { predecessor }),
        change,
        serverTimeMs,
        incarnation,
        accounts,
        deliveries,
      };
    }
    case kinds.direct: {
      const [sender, messageId] = [readDevice(reader), messageIdFromBytes(reader.fixed(16))];
      return { type: 'direct', sender, messageId, serverTimeMs: reader.number(), deliveries: readDeliveries(reader) };
    }
    case kinds.mailbox_begun: {
      const device = readDevice(reader);
      return { type: 'mailbox_begun', device, incarnation: reader.ascii(), drawnUnder: reader.ascii() };
    }
    case kinds.trimmed:
      return { type: 'trimmed', device: readDevice(reader), upTo: reader.number() };
    case kinds.expired:
      return { type: 'expired', device: readDevice(reader), nowMs: reader.number() };
    case kinds.dropped:
      return { type: 'dropped', device: readDevice(reader) };
    default:
      throw new RangeError(`an event of kind ${kind}`);
  }
}

function writeDevice(writer: ByteWriter, { account, device, addedIn }: DeviceKey): void {
  writer.uuid(account);
  writer.number(device);
  writer.number(addedIn);
}

function readDevice(reader: ByteReader): DeviceKey {
  const account = accountIdFromBytes(reader.fixed(16));
  return { account, device: parseDeviceId(reader.number()), addedIn: reader.number() };
}

function writeSequence(writer: ByteWriter, { era, number }: Sequence): void {
  writer.number(era);
  writer.number(number);
}

function readSequence(reader: ByteReader): Sequence {
  return { era: parseEra(reader.number()), number: reader.number() };
}

/** Each envelope once, then the devices with the place of theirs. */
function writeDeliveries(writer: ByteWriter, deliveries: readonly Delivery[]): void {
  const [only] = deliveries;
  if (only && deliveries.length === 1) {
    writer.number(1);
    writer.bytes(only.envelope);
    writer.number(1);
    writeDevice(writer, only.device);
    writer.number(0);
    return;
  }
  const places = new Map<Uint8Array, number>();
  for (const { envelope } of deliveries) if (!places.has(envelope)) places.set(envelope, places.size);
  writer.number(places.size);
  for (const envelope of places.keys()) writer.bytes(envelope);
  writer.number(deliveries.length);
  for (const { device, envelope } of deliveries) {
    writeDevice(writer, device);
    writer.number(places.get(envelope) ?? 0);
  }
}

function readDeliveries(reader: ByteReader): Delivery[] {
  const envelopes = times(reader.number(), () => new Uint8Array(reader.bytes()));
  return times(reader.number(), () => {
    const device = readDevice(reader);
    const envelope = envelopes[reader.number()];
    if (envelope === undefined) throw new RangeError('an envelope that is not there');
    return { device, envelope };
  });
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}
