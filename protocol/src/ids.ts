import { ProtocolError } from './errors.ts';

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** An account: a random UUID in lower case; libsignal's service id. */
export type AccountId = Branded<string, 'AccountId'>;
/** A device of an account: 1 to 127. */
export type DeviceId = Branded<number, 'DeviceId'>;
/** The name under which the relay counts an epoch's messages: 32 bytes as base64url. A counter's name, never an authorisation. */
export type Handle = Branded<string, 'Handle'>;
/** The identity of a message for apps and in history: a UUIDv7 in lower case, made by the sender. */
export type MessageId = Branded<string, 'MessageId'>;
/** One stretch of a counter's life: milliseconds since 1970, increasing within a handle. */
export type EraNumber = Branded<number, 'EraNumber'>;

/** A device's full address. */
export type DeviceAddress = { readonly account: AccountId; readonly device: DeviceId };
/** A message's place in a handle. Numbers count 1, 2, 3 … within an era. */
export type Sequence = { readonly era: EraNumber; readonly number: number };
/** A place in a mailbox. Positions of different incarnations (8 bytes as base64url) do not compare. */
export type Position = { readonly incarnation: string; readonly number: number };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function malformed(what: string): never {
  throw new ProtocolError('malformed', what);
}

export function isAccountId(text: string): text is AccountId {
  return UUID.test(text);
}

/** Takes a UUID in either case. */
export function parseAccountId(text: string): AccountId {
  const lower = text.toLowerCase();
  return isAccountId(lower) ? lower : malformed('account id');
}

export function parseMessageId(text: string): MessageId {
  const lower = text.toLowerCase();
  return UUID.test(lower) ? (lower as MessageId) : malformed('message id');
}

export function parseDeviceId(value: number): DeviceId {
  return Number.isInteger(value) && value >= 1 && value <= 127 ? (value as DeviceId) : malformed('device id');
}

export function parseEra(value: number): EraNumber {
  return Number.isSafeInteger(value) && value >= 1 ? (value as EraNumber) : malformed('era');
}

export function parseHandle(text: string): Handle {
  return handleFromBytes(Buffer.from(text, 'base64url'));
}

export function uuidToBytes(id: AccountId | MessageId): Uint8Array {
  const bytes = Buffer.allocUnsafe(16);
  writeUuid(bytes, 0, id);
  return bytes;
}

/** Writes a UUID as 16 bytes; answers where the next byte goes. */
export function writeUuid(out: Uint8Array, at: number, id: AccountId | MessageId): number {
  let next = at;
  for (let index = 0; index < 36; index += 2) {
    if (index === 8 || index === 13 || index === 18 || index === 23) index += 1;
    out[next++] = (hexDigit(id.charCodeAt(index)) << 4) | hexDigit(id.charCodeAt(index + 1));
  }
  return next;
}

/** The value of a digit in lower case. */
function hexDigit(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}

function uuidFromBytes(bytes: Uint8Array, what: string): string {
  if (!isUuidBytes(bytes)) malformed(what);
  let at = 0;
  for (let index = 0; index < 16; index += 1) {
    const byte = bytes[index] ?? 0;
    uuidText[at++] = digits[byte >> 4] ?? 0;
    uuidText[at++] = digits[byte & 15] ?? 0;
    if (index === 3 || index === 5 || index === 7 || index === 9) at += 1;
  }
  return uuidText.toString('latin1');
}

/** Where a UUID is spelled out: a text that is put together from pieces would keep them all. */
const uuidText = Buffer.alloc(36, '-');
const digits = Buffer.from('0123456789abcdef');

/** Whether these are the 16 bytes of a UUID: of a version from 1 to 8, and of the one variant that has versions. */
export function isUuidBytes(bytes: Uint8Array): boolean {
  const [version, variant] = [(bytes[6] ?? 0) >> 4, (bytes[8] ?? 0) >> 6];
  return bytes.length === 16 && version >= 1 && version <= 8 && variant === 2;
}

export function accountIdFromBytes(bytes: Uint8Array): AccountId {
  return uuidFromBytes(bytes, 'account id') as AccountId;
}

export function messageIdFromBytes(bytes: Uint8Array): MessageId {
  return uuidFromBytes(bytes, 'message id') as MessageId;
}

export function handleFromBytes(bytes: Uint8Array): Handle {
  return bytes.length === 32 ? (view(bytes).toString('base64url') as Handle) : malformed('handle');
}

export function handleToBytes(handle: Handle): Uint8Array {
  return Buffer.from(handle, 'base64url');
}

/** An incarnation is 8 bytes. */
export function parsePosition(incarnation: Uint8Array, number: number): Position {
  if (incarnation.length !== 8) malformed('mailbox incarnation');
  return { incarnation: view(incarnation).toString('base64url'), number };
}

export function incarnationToBytes(incarnation: string): Uint8Array {
  return Buffer.from(incarnation, 'base64url');
}

/** One string per device, fit for a Map key or a log-free comparison: `account.device`. */
export function addressKey(address: DeviceAddress): string {
  return `${address.account}.${address.device}`;
}

/** Negative, zero or positive as a stands before, at or after b. */
export function compareSequences(a: Sequence, b: Sequence): number {
  return a.era - b.era || a.number - b.number;
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
