import { create, toBinary } from '@bufbuild/protobuf';
import { EnvelopeKind, EnvelopeSchema } from './gen/waxwing/v1/wire_pb.ts';
import {
  accountIdFromBytes,
  messageIdFromBytes,
  parseDeviceId,
  uuidToBytes,
  type DeviceAddress,
  type Handle,
  type MessageId,
  type Sequence,
} from './ids.ts';
import { limits } from './limits.ts';
import {
  decode,
  fromHandle,
  fromSequence,
  malformed,
  refuseOver,
  required,
  toCount,
  toHandle,
  toNumber,
  toSequence,
} from './schema.ts';
import { fromCiphertextKind, toCiphertextKind, type CiphertextKind } from './submit-body.ts';

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

export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const { sender, visible, urgent, attempt, ciphertext } = envelope;
  const common = {
    senderAccount: uuidToBytes(sender.account),
    senderDevice: sender.device,
    serverTimeMs: BigInt(envelope.serverTimeMs),
    visible,
    urgent,
    attempt,
    ciphertextKind: fromCiphertextKind(envelope.ciphertextKind),
    ciphertext,
  };
  const own =
    envelope.type === 'direct'
      ? { kind: EnvelopeKind.DIRECT, messageId: uuidToBytes(envelope.messageId) }
      : {
          kind: EnvelopeKind.SEQUENCED,
          handle: fromHandle(envelope.handle),
          sequence: fromSequence(envelope.sequence),
          n: envelope.n,
          ...(envelope.predecessor && { predecessor: fromSequence(envelope.predecessor) }),
        };
  return toBinary(EnvelopeSchema, create(EnvelopeSchema, { ...common, ...own }));
}

/** Refuses with `malformed` or `too_large`. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
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
