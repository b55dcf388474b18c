import {
  parseAccountId,
  parseDeviceId,
  parseEra,
  parseHandle,
  parseMessageId,
  type AccountId,
  type CiphertextKind,
  type DeviceAddress,
  type DeviceId,
  type Recipient,
  type RecipientDevice,
} from '@waxwing/protocol';
import type { DeviceKey } from '../device-key.ts';
import type { DirectSubmission, SequencedSubmit } from '../mailbox-store.ts';
import type { ByteReader, ByteWriter } from './byte-codec.ts';
import { createNames } from './names.ts';

const kinds: readonly CiphertextKind[] = ['session', 'prekey', 'sender_key'];

const accountOf = createNames(parseAccountId);
const handleOf = createNames(parseHandle);

/** Which devices somebody in the host's process listens for. */
export type IsHeard = (account: AccountId, device: DeviceId) => boolean;

/** A submit on its way to the thread, and for which of its devices it is to answer with their entries. */
export type Packed<Submit> = { readonly submit: Submit; readonly isHeard: IsHeard };

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** A submit as bytes: much cheaper to post than the object, and nothing is kept of it. */
export function writeSubmit(writer: ByteWriter, submit: SequencedSubmit, isHeard: IsHeard): void {
  const { floor, change, visible, urgent } = submit;
  writeDevice(writer, submit.sender);
  writer.ascii(submit.handle);
  writer.number(submit.n);
  writer.number(submit.attempt);
  writer.number(submit.oldest);
  writer.optional(floor?.era);
  writer.optional(floor?.number);
  writer.optional(submit.changeBase);
  writer.bytes(submit.digest);
  writer.number((change ? 4 : 0) + (visible ? 2 : 0) + (urgent ? 1 : 0));
  writeOptionalBytes(writer, submit.sharedCiphertext);
  writeRecipients(writer, submit.recipients, isHeard);
}

/** Its byte arrays are views of the bytes that are read, but the digest, which outlives them. */
export function readSubmit(reader: ByteReader): Packed<SequencedSubmit> {
  const sender = readDevice(reader);
  const handle = handleOf(reader.ascii());
  const [n, attempt, oldest] = [reader.number(), reader.number(), reader.number()];
  const [era, place, changeBase] = [reader.optional(), reader.optional(), reader.optional()];
  const digest = new Uint8Array(reader.bytes());
  const flags = reader.number();
  const sharedCiphertext = readOptionalBytes(reader);
  const { recipients, isHeard } = readRecipients(reader);
  const submit: Writable<SequencedSubmit> = {
    sender,
    handle,
    n,
    attempt,
    oldest,
    digest,
    change: (flags & 4) > 0,
    visible: (flags & 2) > 0,
    urgent: (flags & 1) > 0,
    recipients,
  };
  if (era !== undefined && place !== undefined) submit.floor = { era: parseEra(era), number: place };
  if (changeBase !== undefined) submit.changeBase = changeBase;
  if (sharedCiphertext) submit.sharedCiphertext = sharedCiphertext;
  return { submit, isHeard };
}

/** The same for a direct submit. */
export function writeDirect(writer: ByteWriter, submit: DirectSubmission, isHeard: IsHeard): void {
  writeDevice(writer, submit.sender);
  writer.ascii(submit.messageId);
  writer.number(submit.attempt);
  writer.number((submit.visible ? 2 : 0) + (submit.urgent ? 1 : 0));
  writeRecipients(writer, submit.recipients, isHeard);
}

export function readDirect(reader: ByteReader): Packed<DirectSubmission> {
  const sender = readDevice(reader);
  const messageId = parseMessageId(reader.ascii());
  const [attempt, flags] = [reader.number(), reader.number()];
  const { recipients, isHeard } = readRecipients(reader);
  const submit = { sender, messageId, attempt, visible: (flags & 2) > 0, urgent: (flags & 1) > 0, recipients };
  return { submit, isHeard };
}

export function writeDevice(writer: ByteWriter, { account, device, addedIn }: DeviceKey): void {
  writer.ascii(account);
  writer.number(device);
  writer.number(addedIn);
}

export function readDevice(reader: ByteReader): DeviceKey {
  return { account: accountOf(reader.ascii()), device: parseDeviceId(reader.number()), addedIn: reader.number() };
}

function writeRecipients(writer: ByteWriter, recipients: readonly Recipient[], isHeard: IsHeard): void {
  writer.number(recipients.length);
  for (const { account, listVersion, devices } of recipients) {
    writer.ascii(account);
    writer.number(listVersion);
    writer.number(devices.length);
    for (const { device, registrationId, kind, ciphertext } of devices) {
      writer.number(device);
      writer.number(registrationId);
      writer.number(2 * kinds.indexOf(kind) + (isHeard(account, device) ? 1 : 0));
      writeOptionalBytes(writer, ciphertext);
    }
  }
}

function readRecipients(reader: ByteReader): { recipients: Recipient[]; isHeard: IsHeard } {
  const recipients: Recipient[] = [];
  const heard: DeviceAddress[] = [];
  for (let left = reader.number(); left > 0; left -= 1) {
    const [account, listVersion] = [accountOf(reader.ascii()), reader.number()];
    const devices: RecipientDevice[] = [];
    for (let more = reader.number(); more > 0; more -= 1) {
      const [device, registrationId, how] = [parseDeviceId(reader.number()), reader.number(), reader.number()];
      const kind = kinds[how >> 1];
      if (kind === undefined) throw new RangeError('a kind of ciphertext');
      const ciphertext = readOptionalBytes(reader);
      devices.push(ciphertext ? { device, registrationId, kind, ciphertext } : { device, registrationId, kind });
      if (how % 2 === 1) heard.push({ account, device });
    }
    recipients.push({ account, listVersion, devices });
  }
  return { recipients, isHeard: amongThese(heard) };
}

function amongThese(addresses: readonly DeviceAddress[]): IsHeard {
  if (addresses.length === 0) return () => false;
  const heard = new Map<AccountId, Set<DeviceId>>();
  for (const { account, device } of addresses) {
    const devices = heard.get(account);
    if (devices) devices.add(device);
    else heard.set(account, new Set([device]));
  }
  return (account, device) => heard.get(account)?.has(device) ?? false;
}

function writeOptionalBytes(writer: ByteWriter, bytes: Uint8Array | undefined): void {
  writer.number(bytes === undefined ? 0 : 1);
  if (bytes) writer.bytes(bytes);
}

function readOptionalBytes(reader: ByteReader): Uint8Array | undefined {
  return reader.number() === 0 ? undefined : reader.bytes();
}
