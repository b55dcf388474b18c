import {
  limits,
  type DeviceRange,
  type Handle,
  type NumberRange,
  type RepairAnswer,
  type RepairedFrame,
  type Sequence,
} from '@waxwing/protocol';

/** What is to be answered of one request. */
export type Served = {
  readonly frames: readonly RepairedFrame[];
  readonly goneNumbers: readonly NumberRange[];
  readonly goneFrames: readonly DeviceRange[];
};

/** More than an answer says of a frame beside its bytes. */
const BESIDE_BYTES = 96;

/** The answers that carry all of it, at least one: each with no more frames, ranges and bytes than fit a frame. */
export function answersOf(handle: Handle, served: Served, last: Sequence | undefined): RepairAnswer[] {
  const none = { handle, frames: [], goneNumbers: [], goneFrames: [], ...(last && { last }) };
  const answers: RepairAnswer[] = [
    ...batches(served.frames).map((frames) => ({ ...none, frames })),
    ...cut(served.goneNumbers).map((goneNumbers) => ({ ...none, goneNumbers })),
    ...cut(served.goneFrames).map((goneFrames) => ({ ...none, goneFrames })),
  ];
  return answers.length > 0 ? answers : [none];
}

function batches(frames: readonly RepairedFrame[]): RepairedFrame[][] {
  const all: RepairedFrame[][] = [];
  let bytes = 0;
  for (const frame of frames) {
    const length = frame.frame.length + BESIDE_BYTES;
    const batch = all.at(-1);
    const isFull = bytes + length > limits.repairAnswerBytes || batch?.length === limits.framesPerRepairAnswer;
    if (batch === undefined || isFull) {
      all.push([frame]);
      bytes = length;
    } else {
      batch.push(frame);
      bytes += length;
    }
  }
  return all;
}

function cut<T>(ranges: readonly T[]): T[][] {
  const parts: T[][] = [];
  for (let at = 0; at < ranges.length; at += limits.rangesPerRepair) {
    parts.push(ranges.slice(at, at + limits.rangesPerRepair));
  }
  return parts;
}
