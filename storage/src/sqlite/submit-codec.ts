import {
  parseAccountId,
  parseDeviceId,
  parseEra,
  parseHandle,
  type CiphertextKind,
  type Recipient,
  type RecipientDevice,
} from '@waxwing/protocol';
import type { SequencedSubmit } from '../mailbox-store.ts';
import { createByteReader, createByteWriter, type ByteReader, type ByteWriter } from './byte-codec.ts';

const kinds: readonly CiphertextKind[] = ['session', 'prekey', 'sender_key'];

/** A submit as one byte array, on its way to the thread: much cheaper to post than the object, and nothing is kept of it. */
export function packSubmit(submit: SequencedSubmit): Uint8Array {
  const writer = createByteWriter();
  const { sender, floor, change, visible, urgent } = submit;
  writer.text(sender.account);
  writer.number(sender.device);
  writer.number(sender.addedIn);
  writer.text(submit.handle);
  writer.number(submit.n);
  writer.number(submit.attempt);
  writer.number(submit.oldest);
  writer.optional(floor?.era);
  writer.optional(floor?.number);
  writer.optional(submit.changeBase);
  writer.bytes(submit.digest);
  for (const flag of [change, visible, urgent]) writer.number(flag ? 1 : 0);
  writeOptionalBytes(writer, submit.sharedCiphertext);
  writer.number(submit.recipients.length);
  for (const { account, listVersion, devices } of submit.recipients) {
    writer.text(account);
    writer.number(listVersion);
    writer.number(devices.length);
    for (const { device, registrationId, kind, ciphertext } of devices) {
      writer.number(device);
      writer.number(registrationId);
      writer.number(kinds.indexOf(kind));
      writeOptionalBytes(writer, ciphertext);
    }
  }
  return Uint8Array.from(writer.finish());
}

/** Its byte arrays are views of the packed bytes. */
export function unpackSubmit(packed: Uint8Array): SequencedSubmit {
  const reader = createByteReader(packed);
  const sender = {
    account: parseAccountId(reader.text()),
    device: parseDeviceId(reader.number()),
    addedIn: reader.number(),
  };
  const handle = parseHandle(reader.text());
  const [n, attempt, oldest] = [reader.number(), reader.number(), reader.number()];
  const [era, place, changeBase] = [reader.optional(), reader.optional(), reader.optional()];
  const digest = Uint8Array.from(reader.bytes());
  const [change, visible, urgent] = [reader.number() === 1, reader.number() === 1, reader.number() === 1];
  const sharedCiphertext = readOptionalBytes(reader);
  return {
    sender,
    handle,
    n,
    attempt,
    oldest,
    ...(era !== undefined && place !== undefined && { floor: { era: parseEra(era), number: place } }),
    ...(changeBase !== undefined && { changeBase }),
    digest,
    change,
    visible,
    urgent,
    ...(sharedCiphertext && { sharedCiphertext }),
    recipients: times(reader.number(), () => readRecipient(reader)),
  };
}

function readRecipient(reader: ByteReader): Recipient {
  return {
    account: parseAccountId(reader.text()),
    listVersion: reader.number(),
    devices: times(reader.number(), (): RecipientDevice => {
      const [device, registrationId] = [parseDeviceId(reader.number()), reader.number()];
      const kind = kinds[reader.number()];
      if (kind === undefined) throw new RangeError('a kind of ciphertext');
      const ciphertext = readOptionalBytes(reader);
      return { device, registrationId, kind, ...(ciphertext && { ciphertext }) };
    }),
  };
}

function writeOptionalBytes(writer: ByteWriter, bytes: Uint8Array | undefined): void {
  writer.number(bytes === undefined ? 0 : 1);
  if (bytes) writer.bytes(bytes);
}

function readOptionalBytes(reader: ByteReader): Uint8Array | undefined {
  return reader.number() === 0 ? undefined : reader.bytes();
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}
