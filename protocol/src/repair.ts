import { create, toBinary } from '@bufbuild/protobuf';
import { RepairAnswerBodySchema, RepairRequestBodySchema } from './gen/waxwing/v1/frame_pb.ts';
import {
  accountIdFromBytes,
  parseDeviceId,
  parseEra,
  uuidToBytes,
  type DeviceAddress,
  type EraNumber,
  type Handle,
  type Sequence,
} from './ids.ts';
import { limits } from './limits.ts';
import type { NRange } from './receipt.ts';
import {
  atMost,
  decode,
  fromHandle,
  fromSequence,
  malformed,
  refuseOver,
  toCount,
  toHandle,
  toNumber,
  toSequence,
} from './schema.ts';

/** Numbers of one era, both ends included. */
export type NumberRange = NRange & { readonly era: EraNumber };

/** Frames of one sending device by its n, both ends included. */
export type DeviceRange = NRange & { readonly sender: DeviceAddress };

/** What a device lacks of a handle: numbers, and frames whose numbers it does not know. With neither it asks how far the handle goes. */
export type RepairRequest = {
  readonly handle: Handle;
  readonly numbers: readonly NumberRange[];
  readonly frames: readonly DeviceRange[];
};

/** A frame as it was transmitted, and where and when the relay put it. */
export type RepairedFrame = {
  readonly sequence: Sequence;
  readonly sender: DeviceAddress;
  readonly n: number;
  readonly serverTimeMs: number;
  readonly frame: Uint8Array;
};

/**
 * Frames of a handle; `goneNumbers` and `goneFrames` are kept by hash only and do not come any more. `last` is the
 * highest sequence at which the answering device has a frame, absent where it has none.
 */
export type RepairAnswer = {
  readonly handle: Handle;
  readonly frames: readonly RepairedFrame[];
  readonly goneNumbers: readonly NumberRange[];
  readonly goneFrames: readonly DeviceRange[];
  readonly last?: Sequence;
};

/** The body of a frame of kind repair request. */
export function encodeRepairRequest({ handle, numbers, frames }: RepairRequest): Uint8Array {
  const shape = { handle: fromHandle(handle), numbers: numbers.map(fromNumbers), frames: frames.map(fromFrames) };
  return toBinary(RepairRequestBodySchema, create(RepairRequestBodySchema, shape));
}

/** Refuses with `malformed` or `too_large`. */
export function decodeRepairRequest(bytes: Uint8Array): RepairRequest {
  const { handle, numbers, frames } = decode(RepairRequestBodySchema, bytes, limits.frameMaxBytes);
  refuseOver(numbers.length + frames.length, limits.rangesPerRepair, 'ranges');
  return { handle: toHandle(handle), numbers: numbers.map(toNumbers), frames: frames.map(toFrames) };
}

/** The body of a frame of kind repair answer. */
export function encodeRepairAnswer({ handle, frames, goneNumbers, goneFrames, last }: RepairAnswer): Uint8Array {
  return toBinary(
    RepairAnswerBodySchema,
    create(RepairAnswerBodySchema, {
      handle: fromHandle(handle),
      frames: frames.map(({ sequence, sender, n, serverTimeMs, frame }) => ({
        ...fromSequence(sequence),
        senderAccount: uuidToBytes(sender.account),
        senderDevice: sender.device,
        n,
        serverTimeMs: BigInt(serverTimeMs),
        frame,
      })),
      goneNumbers: goneNumbers.map(fromNumbers),
      goneFrames: goneFrames.map(fromFrames),
      ...(last && { lastEra: BigInt(last.era), lastNumber: BigInt(last.number) }),
    }),
  );
}

/** Refuses with `malformed` or `too_large`. The frames in it are bytes, not looked into. */
export function decodeRepairAnswer(bytes: Uint8Array): RepairAnswer {
  const body = decode(RepairAnswerBodySchema, bytes, limits.frameMaxBytes);
  refuseOver(body.goneNumbers.length + body.goneFrames.length, limits.rangesPerRepair, 'ranges');
  const isLast = body.lastEra !== 0n || body.lastNumber !== 0n;
  return {
    handle: toHandle(body.handle),
    frames: atMost(body.frames, limits.framesPerRepairAnswer, 'repaired frames').map((row) => ({
      sequence: toSequence(row),
      sender: toAddress(row.senderAccount, row.senderDevice),
      n: toCount(row.n, 'n'),
      serverTimeMs: toNumber(row.serverTimeMs, 'server time'),
      frame: row.frame.length > 0 ? row.frame : malformed('repaired frame'),
    })),
    goneNumbers: body.goneNumbers.map(toNumbers),
    goneFrames: body.goneFrames.map(toFrames),
    ...(isLast && { last: toSequence({ era: body.lastEra, number: body.lastNumber }) }),
  };
}

function fromNumbers({ era, from, to }: NumberRange) {
  return { era: BigInt(era), from: BigInt(from), to: BigInt(to) };
}

function toNumbers(shape: { era: bigint; from: bigint; to: bigint }): NumberRange {
  const range = toRange(toNumber(shape.from, 'range'), toNumber(shape.to, 'range'));
  return { era: parseEra(toNumber(shape.era, 'era')), ...range };
}

function fromFrames({ sender, from, to }: DeviceRange) {
  return { account: uuidToBytes(sender.account), device: sender.device, from, to };
}

function toFrames(shape: { account: Uint8Array; device: number; from: number; to: number }): DeviceRange {
  return { sender: toAddress(shape.account, shape.device), ...toRange(shape.from, shape.to) };
}

function toRange(from: number, to: number): NRange {
  return from >= 1 && from <= to ? { from, to } : malformed('range');
}

function toAddress(account: Uint8Array, device: number): DeviceAddress {
  return { account: accountIdFromBytes(account), device: parseDeviceId(device) };
}
