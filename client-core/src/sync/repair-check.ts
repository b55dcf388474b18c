import { compareSequences, limits, type EraNumber, type Frame, type Sequence } from '@waxwing/protocol';
import { contains } from './ranges.ts';
import { gaps, know, standing, type EpochView } from './sequencer.ts';

/** What of a repaired frame is not what the answer says of it, or undefined. */
export function misnamed(
  item: { readonly sender: Frame['sender']; readonly n: number },
  handle: string,
  frame: Frame,
): string | undefined {
  const { account, device } = frame.sender;
  if (account !== item.sender.account || device !== item.sender.device) return 'sender';
  if (frame.place?.handle !== handle) return 'handle';
  return frame.place.n === item.n ? undefined : 'n';
}

/** Where an answer says that a frame stands, and what is known that bears on it. */
export type Claim = {
  readonly sequence: Sequence;
  /** Where the frame stands here already. */
  readonly stands?: Sequence;
  /** Its author's account says so, or an own device. */
  readonly isAuthors: boolean;
  /** Where the frames of its device next before and after it stand here: of the one before the lowest place, of the other the highest. */
  readonly before?: Sequence;
  readonly after?: Sequence;
  /** The numbers in the same era of frames of its device with a lower n, the highest of them, and with a higher one, the lowest. */
  readonly below?: number;
  readonly above?: number;
  /** The sequence that stands behind a hole without numbers in which the frame is missing. */
  readonly chainedBefore?: Sequence;
};

/**
 * Whether a frame may take a place: its number is missing here, or it is missing without a number, or it lies behind all
 * that is known by no more than a mailbox can lose. `contradiction`: an honest relay and sender give no such place.
 */
export function judge(view: EpochView, claim: Claim, nowMs: number): 'take' | 'leave' | 'contradiction' {
  const { sequence, stands, before, after, below, above } = claim;
  const isBetween = (below ?? 0) < sequence.number && sequence.number < (above ?? Infinity);
  if (!isBetween) return 'contradiction';
  if (stands) {
    if (stands.era === sequence.era) return 'contradiction';
    // What stands is moved only to where something is missing: to a later place by its author alone, who was told of it where
    // the relay had forgotten this one; back to an earlier one by all, as the newest era itself says that it counts on there.
    const moves = compareSequences(standing(know(view, { sequence }), stands, sequence), stands) !== 0;
    const mayMove = claim.isAuthors || isOrdered(sequence, stands);
    if (moves && !(mayMove && isMissing(view, sequence))) return 'leave';
  }
  if ((before && !isOrdered(before, sequence)) || (after && !isOrdered(sequence, after))) return 'leave';
  if (isMissing(view, sequence)) return 'take';
  if (claim.chainedBefore && isOrdered(sequence, claim.chainedBefore)) return 'take';
  return isAhead(view, sequence, nowMs) ? 'take' : 'leave';
}

/** Whether a sequence may be the next that there are: behind all known ones, in an era that has begun, within bounds. */
export function isAhead(view: EpochView, sequence: Sequence, nowMs: number): boolean {
  const { floor } = view;
  if (floor === undefined || compareSequences(sequence, floor) <= 0) return false;
  if (sequence.era === floor.era) return sequence.number - floor.number <= limits.repairAheadMaxEntries;
  return sequence.era <= nowMs + limits.floorAheadMs && sequence.number <= limits.repairAheadMaxEntries;
}

function isMissing(view: EpochView, { era, number }: { era: EraNumber; number: number }): boolean {
  const row = view.eras.find((other) => other.era === era);
  if (row === undefined) return false;
  const open = gaps(view).filter((gap) => gap.era === era);
  return contains(row.holes, number) || contains(open, number);
}

function isOrdered(a: Sequence, b: Sequence): boolean {
  return compareSequences(a, b) < 0;
}
