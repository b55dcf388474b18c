import { EnvelopeKind, EnvelopeSchema } from './gen/waxwing/v1/wire_pb.ts';
import {
  accountIdFromBytes,
  messageIdFromBytes,
  parseDeviceId,
  writeUuid,
  type DeviceAddress,
  type Handle,
  type MessageId,
  type Sequence,
} from './ids.ts';
import { readEnvelope } from './envelope-bytes.ts';
import { limits } from './limits.ts';
import { decode, malformed, refuseOver, required, toCount, toHandle, toNumber, toSequence } from './schema.ts';
import { fromCiphertextKind, toCiphertextKind, type CiphertextKind } from './submit-body.ts';
import { sequenceLength, varintLength, writeBytes, writeNumber, writeSequence } from './wire-bytes.ts';

type Common = {
  readonly sender: DeviceAddress;
  readonly serverTimeMs: number;
  readonly visible: boolean;
  readonly urgent: boolean;
  readonly attempt: number;
  readonly ciphertextKind: CiphertextKind;
  readonly ciphertext: Uint8Array;
};

/** `predecessor` is the era before and its last number; absent: unknown. */
export type SequencedEnvelope = Common & {
  readonly type: 'sequenced';
  readonly handle: Handle;
  readonly sequence: Sequence;
  readonly predecessor?: Sequence;
  readonly n: number;
};

export type DirectEnvelope = Common & { readonly type: 'direct'; readonly messageId: MessageId };

/** What the relay keeps for a device. Every field but the ciphertext is the relay's word and proves nothing. */
export type Envelope = SequencedEnvelope | DirectEnvelope;

/** The greatest length of an envelope's bytes. */
export const envelopeMaxBytes = limits.ciphertextMaxBytes + 512;

/** By hand, since every message is one: the same bytes as the generated code's. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const { sender, attempt, ciphertext, serverTimeMs } = envelope;
  const out = Buffer.allocUnsafe(lengthOf(envelope));
  let at = writeNumber(out, 0, 0x08, envelope.type === 'direct' ? EnvelopeKind.DIRECT : EnvelopeKind.SEQUENCED);
  at = writeUuid(out, writeNumber(out, at, 0x12, 16), sender.account);
  at = writeNumber(out, at, 0x18, sender.device);
  if (serverTimeMs > 0) at = writeNumber(out, at, 0x20, serverTimeMs);
  if (envelope.visible) at = writeNumber(out, at, 0x28, 1);
  if (envelope.urgent) at = writeNumber(out, at, 0x30, 1);
  if (attempt > 0) at = writeNumber(out, at, 0x38, attempt);
  at = writeNumber(out, at, 0x40, fromCiphertextKind(envelope.ciphertextKind));
  if (ciphertext.length > 0) at = writeBytes(out, at, 0x4a, ciphertext);
  if (envelope.type === 'direct') {
    at = writeUuid(out, writeNumber(out, at, 0x72, 16), envelope.messageId);
  } else {
    const { handle, sequence, predecessor, n } = envelope;
    at = writeNumber(out, at, 0x52, 32);
    at += out.write(handle, at, 32, 'base64url');
    at = writeSequence(out, at, 0x5a, sequence.era, sequence.number);
    if (predecessor) at = writeSequence(out, at, 0x62, predecessor.era, predecessor.number);
    if (n > 0) at = writeNumber(out, at, 0x68, n);
  }
  return at === out.length ? out : out.subarray(0, at);
}

/** Not less than the envelope's bytes, and mostly as many. */
function lengthOf(envelope: Envelope): number {
  const { attempt, ciphertext, serverTimeMs } = envelope;
  let length = 27 + varintLength(serverTimeMs) + varintLength(attempt) + varintLength(ciphertext.length);
  length += ciphertext.length + (envelope.visible ? 2 : 0) + (envelope.urgent ? 2 : 0);
  if (envelope.type === 'direct') return length + 18;
  const { sequence, predecessor, n } = envelope;
  length += 37 + varintLength(n) + sequenceLength(sequence.era, sequence.number);
  return predecessor ? length + 2 + sequenceLength(predecessor.era, predecessor.number) : length;
}

/** Refuses with `malformed` or `too_large`. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  refuseOver(bytes.length, envelopeMaxBytes, EnvelopeSchema.name);
  return readEnvelope(bytes) ?? decodeAnyEnvelope(bytes);
}

/** The same for every envelope, with the generated code. */
function decodeAnyEnvelope(bytes: Uint8Array): Envelope {
  const message = decode(EnvelopeSchema, bytes, envelopeMaxBytes);
  refuseOver(message.ciphertext.length, limits.ciphertextMaxBytes, 'ciphertext');
  const common: Common = {
    sender: { account: accountIdFromBytes(message.senderAccount), device: parseDeviceId(message.senderDevice) },
    serverTimeMs: toNumber(message.serverTimeMs, 'server time'),
    visible: message.visible,
    urgent: message.urgent,
    attempt: message.attempt,
    ciphertextKind: toCiphertextKind(message.ciphertextKind),
    ciphertext: message.ciphertext,
  };
  switch (message.kind) {
    case EnvelopeKind.SEQUENCED:
      return {
        ...common,
        type: 'sequenced',
        handle: toHandle(message.handle),
        sequence: toSequence(required(message.sequence, 'sequence')),
        n: toCount(message.n, 'n'),
        ...(message.predecessor && { predecessor: toSequence(message.predecessor) }),
      };
    case EnvelopeKind.DIRECT:
      return { ...common, type: 'direct', messageId: messageIdFromBytes(message.messageId) };
    default:
      return malformed('envelope kind');
  }
}
