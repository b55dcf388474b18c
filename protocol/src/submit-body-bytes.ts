import { accountIdFromBytes, parseDeviceId, type AccountId, type DeviceId } from './ids.ts';
import { limits } from './limits.ts';
import { cursorOver, hasTag, readBytes, readEnd, readFlag, readUint32, readUuid, type Cursor } from './wire-bytes.ts';

/** The kinds of ciphertexts by their numbers on the wire. */
export const ciphertextKinds = [undefined, 'session', 'prekey', 'sender_key'] as const;

/**
 * What a submit's body says, if it is written as devices write one: fields in order, nothing unknown, all within their
 * limits, nobody named twice. Undefined for every other body, which is to be read in another way; what is answered is what
 * that way would answer.
 */
export function readSubmitBody(bytes: Uint8Array) {
  if (bytes.length > limits.batchMaxBytes) return undefined;
  const cursor = cursorOver(bytes);
  const change = readFlag(cursor, 0x08);
  const visible = readFlag(cursor, 0x10);
  const urgent = readFlag(cursor, 0x18);
  const recipients: ReturnType<typeof readRecipient>[] = [];
  while (!cursor.failed && hasTag(cursor, 0x22)) {
    cursor.end = readEnd(cursor);
    recipients.push(readRecipient(cursor));
    if (cursor.at !== cursor.end) cursor.failed = true;
    cursor.end = bytes.length;
  }
  const sharedCiphertext = hasTag(cursor, 0x2a) ? readCiphertext(cursor) : undefined;
  if (cursor.failed || cursor.at !== bytes.length || recipients.length > limits.recipientsPerSubmit) return undefined;
  const isShared = sharedCiphertext !== undefined;
  const isSealed = isShared || recipients.every(({ devices }) => devices.every(({ ciphertext }) => ciphertext));
  if (!isSealed || areRepeated(recipients.map(({ account }) => account))) return undefined;
  return { change, visible, urgent, recipients, ...(isShared && { sharedCiphertext }) };
}

function readRecipient(cursor: Cursor) {
  const to = cursor.end;
  if (!hasTag(cursor, 0x0a)) cursor.failed = true;
  const account = readUuid(cursor);
  const listVersion = hasTag(cursor, 0x10) ? readUint32(cursor) : 0;
  const devices: ReturnType<typeof readDevice>[] = [];
  while (!cursor.failed && hasTag(cursor, 0x1a)) {
    cursor.end = readEnd(cursor);
    devices.push(readDevice(cursor));
    if (cursor.at !== cursor.end) cursor.failed = true;
    cursor.end = to;
  }
  if (listVersion < 1 || devices.length > limits.devicesPerAccount) cursor.failed = true;
  if (areRepeated(devices.map(({ device }) => device))) cursor.failed = true;
  return { account: cursor.failed ? nobody : accountIdFromBytes(account), listVersion, devices };
}

function readDevice(cursor: Cursor) {
  const device = hasTag(cursor, 0x08) ? readUint32(cursor) : 0;
  const registrationId = hasTag(cursor, 0x10) ? readUint32(cursor) : 0;
  const kind = hasTag(cursor, 0x18) ? ciphertextKinds[readUint32(cursor)] : undefined;
  const ciphertext = hasTag(cursor, 0x22) ? readCiphertext(cursor) : undefined;
  if (device < 1 || device > 127 || kind === undefined) cursor.failed = true;
  return {
    device: cursor.failed ? anyDevice : parseDeviceId(device),
    registrationId,
    kind: kind ?? 'session',
    ...(ciphertext && { ciphertext }),
  };
}

/** Stand in what was read once something has failed; they go nowhere. */
const nobody: AccountId = accountIdFromBytes(Uint8Array.of(0, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 0));
const anyDevice: DeviceId = parseDeviceId(1);

/** Neither empty nor too long. */
function readCiphertext(cursor: Cursor): Uint8Array {
  const bytes = readBytes(cursor);
  if (bytes.length === 0 || bytes.length > limits.ciphertextMaxBytes) cursor.failed = true;
  return bytes;
}

function areRepeated(ids: readonly (string | number)[]): boolean {
  if (ids.length < 2) return false;
  if (ids.length === 2) return ids[0] === ids[1];
  return new Set(ids).size !== ids.length;
}
