import {
  decodeFrame,
  decodeHeads,
  decodeRepairAnswer,
  decodeRepairRequest,
  encodeFrame,
  encodeHeads,
  encodeRepairAnswer,
  encodeRepairRequest,
  frameHash,
  frameKinds,
  limits,
  parseDeviceId,
  parseEra,
  parseHandle,
  ProtocolError,
  type DeviceAddress,
  type DeviceRange,
  type Frame,
  type Handle,
  type HeadsClaim,
  type NumberRange,
  type RepairAnswer,
  type RepairedFrame,
  type RepairRequest,
} from '@waxwing/protocol';
import type { Dice } from './dice.ts';

/** What is told about a conversation, each well-formed and false: questions, answers and heads. */
export type ClaimKind = 'repairRequest' | 'repairAnswer' | 'heads';
export const claimKinds: readonly ClaimKind[] = ['repairRequest', 'repairAnswer', 'heads'];

/** What a liar knows: the frames that went before, and who may be named. */
export type Known = {
  readonly handle: Handle;
  readonly era: number;
  readonly frames: readonly Uint8Array[];
  readonly people: readonly DeviceAddress[];
};

const MAX_COUNT = 2 ** 32 - 1;
const counts: readonly number[] = [0, 1, 2, 3, 5, 20, 257, 20_001, 2 ** 31, MAX_COUNT];
const numbers: readonly number[] = [...counts, 2 ** 32, Number.MAX_SAFE_INTEGER];

const handleOf = (known: Known, dice: Dice): Handle =>
  dice.oneIn(6) ? parseHandle(dice.bytes(32).toString('base64url')) : known.handle;
const eraOf = ({ era }: Known, dice: Dice) =>
  parseEra(dice.oneIn(3) ? dice.pick([1, era + 1, Number.MAX_SAFE_INTEGER]) : Math.max(1, era));
const personOf = ({ people }: Known, dice: Dice): DeviceAddress => {
  const person = dice.pick(people);
  return dice.oneIn(5) ? { ...person, device: parseDeviceId(dice.pick([2, 127])) } : person;
};
const several = <T>(dice: Dice, most: number, make: () => T): T[] =>
  Array.from({ length: dice.pick([0, 1, 2, most, most + 1]) }, make);
/** Often the wrong way round, or without end. */
const span = (from: readonly number[], dice: Dice) => ({ from: dice.pick(from), to: dice.pick(from) });

const numberRange = (known: Known, dice: Dice): NumberRange => ({ era: eraOf(known, dice), ...span(numbers, dice) });
const deviceRange = (known: Known, dice: Dice): DeviceRange => ({
  sender: personOf(known, dice),
  ...span(counts, dice),
});

function repairRequest(known: Known, dice: Dice): RepairRequest {
  const most = limits.rangesPerRepair;
  return {
    handle: handleOf(known, dice),
    numbers: several(dice, most, () => numberRange(known, dice)),
    frames: several(dice, most, () => deviceRange(known, dice)),
  };
}

/** A frame that went before, or one made of it: of another n, another handle or other words. */
function frameOf(known: Known, dice: Dice): Uint8Array {
  const bytes = dice.pick(known.frames);
  if (dice.oneIn(2)) return bytes;
  const frame = readable(bytes);
  if (!frame?.place) return dice.bytes(1 + dice.int(300));
  const place = { ...frame.place, n: Math.max(1, dice.pick(counts)), handle: handleOf(known, dice) };
  return encodeFrame({
    ...frame,
    sender: personOf(known, dice),
    place: dice.oneIn(2) ? place : frame.place,
    body: dice.oneIn(2) ? frame.body : dice.bytes(dice.int(100)),
  });
}

function repairedFrame(known: Known, dice: Dice): RepairedFrame {
  const frame = frameOf(known, dice);
  const said = readable(frame);
  return {
    sequence: { era: eraOf(known, dice), number: dice.pick(numbers) },
    sender: said && !dice.oneIn(4) ? said.sender : personOf(known, dice),
    n: said?.place && !dice.oneIn(4) ? said.place.n : dice.pick(counts),
    serverTimeMs: dice.pick([0, 1, Date.UTC(2026, 0, 1), Number.MAX_SAFE_INTEGER]),
    frame,
  };
}

function repairAnswer(known: Known, dice: Dice): RepairAnswer {
  const most = limits.rangesPerRepair;
  return {
    handle: handleOf(known, dice),
    frames: several(dice, 8, () => repairedFrame(known, dice)),
    goneNumbers: several(dice, most, () => numberRange(known, dice)),
    goneFrames: several(dice, most, () => deviceRange(known, dice)),
    ...(dice.oneIn(2) && { last: { era: eraOf(known, dice), number: dice.pick(numbers) } }),
  };
}

function heads(known: Known, dice: Dice): HeadsClaim {
  const hash = (): Uint8Array => (dice.oneIn(2) ? frameHash(dice.pick(known.frames)) : dice.bytes(32));
  return {
    handle: handleOf(known, dice),
    ...(!dice.oneIn(4) && { head: { n: dice.pick(counts), frameHash: hash() } }),
    ...(!dice.oneIn(4) && { seen: { era: eraOf(known, dice), ...span(numbers, dice), hash: hash() } }),
  };
}

/** The body of a false claim, as its kind is written. */
function claimBody(kind: ClaimKind, known: Known, dice: Dice): Uint8Array {
  switch (kind) {
    case 'repairRequest':
      return encodeRepairRequest(repairRequest(known, dice));
    case 'repairAnswer':
      return encodeRepairAnswer(repairAnswer(known, dice));
    case 'heads':
      return encodeHeads(heads(known, dice));
  }
}

/** The frame with a false claim of this kind in the place of what it said. */
export function asClaim(bytes: Uint8Array, kind: ClaimKind, known: Known, dice: Dice): Uint8Array {
  const frame = readable(bytes);
  if (!frame) return bytes;
  return encodeFrame({ ...frame, kind: frameKinds[kind], body: claimBody(kind, known, dice) });
}

/** An honest claim with one of its parts replaced by a false one; undefined for a frame that is none. */
export function twistClaim(bytes: Uint8Array, known: Known, dice: Dice): Uint8Array | undefined {
  const frame = readable(bytes);
  const body = frame && twistBody(frame, known, dice);
  return body && encodeFrame({ ...frame, body });
}

function twistBody({ kind, body }: Frame, known: Known, dice: Dice): Uint8Array | undefined {
  switch (kind) {
    case frameKinds.repairRequest:
      return encodeRepairRequest(withPart(decodeRepairRequest(body), repairRequest(known, dice), dice));
    case frameKinds.repairAnswer:
      return encodeRepairAnswer(withPart(decodeRepairAnswer(body), repairAnswer(known, dice), dice));
    case frameKinds.heads:
      return encodeHeads(withPart(decodeHeads(body), heads(known, dice), dice));
    default:
      return undefined;
  }
}

function withPart<T extends object>(honest: T, lie: T, dice: Dice): T {
  const parts = Object.entries(lie);
  return parts.length === 0 ? honest : { ...honest, ...Object.fromEntries([dice.pick(parts)]) };
}

function readable(bytes: Uint8Array): Frame | undefined {
  try {
    return decodeFrame(bytes);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
