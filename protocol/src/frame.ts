import { create, toBinary } from '@bufbuild/protobuf';
import { FrameSchema } from './gen/waxwing/v1/frame_pb.ts';
import { readFrame } from './frame-bytes.ts';
import { sha256 } from './hash.ts';
import {
  accountIdFromBytes,
  messageIdFromBytes,
  parseDeviceId,
  uuidToBytes,
  type DeviceAddress,
  type Handle,
  type MessageId,
} from './ids.ts';
import { keyLabels } from './labels.ts';
import { limits } from './limits.ts';
import { paddingField } from './padding.ts';
import { atMost, decode, exactly, fromHandle, malformed, refuseOver, toCount, toHandle, toNumber } from './schema.ts';
import { fromSeen, toSeen, type Seen } from './seen.ts';
import { frameVersion } from './version.ts';

/** Frame kinds by name. Sequenced ones take a number; direct ones go device to device. A number without a name is kept as it is. */
export const frameKinds = {
  /** What a person wrote: a ContentBody. */
  content: 1,
  /** Stands for a message that could not be sent, so that n stays dense. Empty body. */
  void: 2,
  /** Direct: a ReceiptBody. */
  receipt: 3,
  /** Direct: a RepairRequestBody. */
  repairRequest: 4,
  /** Direct: a RepairAnswerBody. */
  repairAnswer: 5,
  /** Direct: a HeadsBody. */
  heads: 8,
} as const;
export type FrameKindName = keyof typeof frameKinds;

/** The sender's own device list, by version and the first 8 bytes of its hash. */
export type ListClaim = { readonly version: number; readonly hashPrefix: Uint8Array };

/**
 * The plaintext of a message. It is built once, byte-identical for every recipient device, and hashed as transmitted.
 * A direct frame has no place: no handle, n = 0, no prev, no seen.
 */
export type Frame = {
  readonly sender: DeviceAddress;
  readonly messageId: MessageId;
  /** A value of `frameKinds`, or one that a newer version knows. */
  readonly kind: number;
  readonly place?: {
    readonly handle: Handle;
    readonly n: number;
    /** Hash of this device's frame n - 1, or `firstPrev`. */
    readonly prev: Uint8Array;
    readonly replaces: readonly Uint8Array[];
    readonly seen?: Seen;
  };
  readonly list: ListClaim;
  readonly sentAtMs: number;
  readonly body: Uint8Array;
};

/** What `prev` of a device's first frame in a handle is: SHA-256 of a labelled constant and who it is. */
export function firstPrev(handle: Handle, sender: DeviceAddress): Uint8Array {
  return sha256(keyLabels.chain, fromHandle(handle), uuidToBytes(sender.account), Uint8Array.of(sender.device));
}

/** The hash by which later frames, receipts and repair name this one. */
export function frameHash(frameBytes: Uint8Array): Uint8Array {
  return sha256(frameBytes);
}

/** Builds the bytes that every recipient device gets, padded to their class. Refuses a frame over the limit with `too_large`. */
export function encodeFrame(frame: Frame): Uint8Array {
  const { place } = frame;
  const message = create(FrameSchema, {
    version: frameVersion,
    senderAccount: uuidToBytes(frame.sender.account),
    senderDevice: frame.sender.device,
    messageId: uuidToBytes(frame.messageId),
    kind: frame.kind,
    ...(place && {
      handle: fromHandle(place.handle),
      n: place.n,
      prev: place.prev,
      replaces: [...place.replaces],
      ...(place.seen && { seen: fromSeen(place.seen) }),
    }),
    list: { version: frame.list.version, hashPrefix: frame.list.hashPrefix },
    sentAtMs: BigInt(frame.sentAtMs),
    body: frame.body,
  });
  const unpadded = toBinary(FrameSchema, message);
  const bytes = Buffer.concat([unpadded, paddingField(unpadded.length)]);
  refuseOver(bytes.length, limits.frameMaxBytes, 'frame');
  return bytes;
}

/** Refuses with `malformed` or `too_large`. Unknown fields and kinds are allowed: a newer sender's frame is kept. */
export function decodeFrame(bytes: Uint8Array): Frame {
  refuseOver(bytes.length, limits.frameMaxBytes, FrameSchema.name);
  return readFrame(bytes) ?? decodeAnyFrame(bytes);
}

/** The same for every frame, with the generated code. */
function decodeAnyFrame(bytes: Uint8Array): Frame {
  const message = decode(FrameSchema, bytes, limits.frameMaxBytes);
  if (message.version !== frameVersion) malformed('frame version');
  const direct = message.handle.length === 0;
  if (direct && (message.n !== 0 || message.prev.length > 0 || message.seen !== undefined)) malformed('direct frame');
  const list = message.list ?? malformed('list claim');
  return {
    sender: { account: accountIdFromBytes(message.senderAccount), device: parseDeviceId(message.senderDevice) },
    messageId: messageIdFromBytes(message.messageId),
    kind: toCount(message.kind, 'frame kind'),
    ...(!direct && {
      place: {
        handle: toHandle(message.handle),
        n: toCount(message.n, 'n'),
        prev: exactly(message.prev, 32, 'prev'),
        replaces: atMost(message.replaces, limits.replacesPerFrame, 'replaces').map((hash) =>
          exactly(hash, 32, 'replaces'),
        ),
        ...(message.seen && { seen: toSeen(message.seen) }),
      },
    }),
    list: { version: toCount(list.version, 'list version'), hashPrefix: exactly(list.hashPrefix, 8, 'list hash') },
    sentAtMs: toNumber(message.sentAtMs, 'sent at'),
    body: message.body,
  };
}
