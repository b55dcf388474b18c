import { encodeSubmitBody, handleToBytes, type Handle, type Recipient } from '@waxwing/protocol';
import type { TestDevice } from '../../test/support/relay-account.ts';

// The wire as the generator writes and reads it: by hand, so that it is not the generator that is measured. Field numbers
// are those of wire.proto; that the relay takes what is written here is what shows that it is right.

/** Where bytes are written one after the other. */
export class Writer {
  readonly buffer: Buffer;
  at = 0;

  constructor(length: number) {
    this.buffer = Buffer.allocUnsafe(length);
  }

  varint(value: number): void {
    let rest = value;
    while (rest > 127) {
      this.buffer[this.at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.buffer[this.at++] = rest;
  }

  bytes(value: Uint8Array): void {
    this.buffer.set(value, this.at);
    this.at += value.length;
  }

  written(): Buffer {
    return this.buffer.subarray(0, this.at);
  }
}

function varintLength(value: number): number {
  return value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : value < 268_435_456 ? 4 : 5;
}

/** More than the fields around a body take. */
export const FRAME_BYTES = 96;

/** A body with this ciphertext for each device, or shared by all. The ciphertext stands last. */
export function bodyOf(
  from: TestDevice,
  to: readonly TestDevice[],
  ciphertext: Uint8Array,
  o: { readonly shared?: boolean; readonly direct?: boolean } = {},
): Uint8Array {
  const own: Recipient = { account: from.account, listVersion: 1, devices: [] };
  const others = to.map(({ account, device, registrationId }): Recipient => {
    const kind = o.shared ? 'sender_key' : 'session';
    const named = { device, registrationId, kind } as const;
    return { account, listVersion: 1, devices: [o.shared ? named : { ...named, ciphertext }] };
  });
  const recipients = o.direct ? others : [own, ...others];
  return encodeSubmitBody({
    change: false,
    visible: true,
    urgent: false,
    recipients,
    ...(o.shared && { sharedCiphertext: ciphertext }),
  });
}

/** Writes a sequenced submit of the n-th message as one message of a batch. Its request number is n. */
export function writeSubmit(out: Writer, handle: Uint8Array, n: number, oldest: number, body: Uint8Array): void {
  const length = 1 + 2 * varintLength(n) + 34 + 1 + 2 + 1 + varintLength(oldest) + 1 + varintLength(body.length);
  const inner = length + body.length;
  out.varint(0x0a);
  out.varint(1 + varintLength(inner) + inner);
  out.varint(0x12);
  out.varint(inner);
  out.varint(0x08);
  out.varint(n);
  out.varint(0x12);
  out.varint(32);
  out.bytes(handle);
  out.varint(0x18);
  out.varint(n);
  out.varint(0x20);
  out.varint(1);
  out.varint(0x28);
  out.varint(oldest);
  out.varint(0x42);
  out.varint(body.length);
  out.bytes(body);
}

/** Writes a direct submit as one message of a batch. */
export function writeDirect(out: Writer, messageId: Uint8Array, request: number, body: Uint8Array): void {
  const inner = 1 + varintLength(request) + 18 + 2 + 1 + varintLength(body.length) + body.length;
  out.varint(0x0a);
  out.varint(1 + varintLength(inner) + inner);
  out.varint(0x1a);
  out.varint(inner);
  out.varint(0x08);
  out.varint(request);
  out.varint(0x12);
  out.varint(16);
  out.bytes(messageId);
  out.varint(0x18);
  out.varint(1);
  out.varint(0x22);
  out.varint(body.length);
  out.bytes(body);
}

/** A whole batch that acks up to this number of the mailbox. */
export function ackBatch(incarnation: Uint8Array, number: number): Buffer {
  const position = 10 + 1 + varintLength(number);
  const out = new Writer(40);
  out.varint(0x0a);
  out.varint(position + 4);
  out.varint(0x22);
  out.varint(position + 2);
  out.varint(0x0a);
  out.varint(position);
  out.varint(0x0a);
  out.varint(8);
  out.bytes(incarnation);
  out.varint(0x10);
  out.varint(number);
  return out.written();
}

/** The kinds of messages by the tag of their field in `Down`. */
export const Down = {
  challenge: 0x0a,
  ready: 0x12,
  deliver: 0x1a,
  drained: 0x2a,
  accepted: 0x32,
  rejected: 0x3a,
  heartbeat: 0x52,
};

/** Steps through the messages of a batch: after each `next`, what the message is and where its fields stand. */
export class Reader {
  #bytes: Buffer = Buffer.alloc(0);
  #next = 0;
  kind = 0;
  from = 0;
  to = 0;

  read(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#next = 0;
  }

  next(): boolean {
    const bytes = this.#bytes;
    if (this.#next >= bytes.length) return false;
    let at = this.#next + 1;
    let length = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      length += (byte & 127) * scale;
      if (byte < 128) break;
    }
    this.#next = at + length;
    this.kind = bytes[at++] ?? 0;
    while ((bytes[at++] ?? 0) > 127);
    this.from = at;
    this.to = this.#next;
    return true;
  }

  /** Of a delivery: the number in the mailbox. */
  get position(): number {
    let at = this.from + 2 + 10 + 1;
    let number = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[at++] ?? 0;
      number += (byte & 127) * scale;
      if (byte < 128) return number;
    }
  }
}

/** The first eight bytes of the one ciphertext in these bytes, which begins so. */
export const stampMark = Buffer.from('when');

/** Puts a time into a body at its ciphertext, which `bodyOf` has put last. */
export function stamp(body: Buffer, ciphertextBytes: number, ms: number): void {
  body.writeDoubleLE(ms, body.length - ciphertextBytes + stampMark.length);
}

/** The time in a message that was delivered. */
export function stampOf(bytes: Buffer, from: number): number {
  return bytes.readDoubleLE(bytes.indexOf(stampMark, from) + stampMark.length);
}

export function handleBytes(handle: Handle): Uint8Array {
  return handleToBytes(handle);
}
