import { compareSequences, parseEra, type Sequence } from '@waxwing/protocol';
import type { Counter } from './counter.ts';

/** Where the next message of a handle goes, by I-7. */
export type Place =
  | { readonly type: 'next'; readonly sequence: Sequence; readonly predecessor?: Sequence; readonly newEra: boolean }
  | { readonly type: 'floor_ahead' };

/** A bit over 17 minutes of eras. */
const SPREAD = 2 ** 20;

/**
 * A new era begins when there is no counter, when the floor is above it, or when another incarnation of the store counted
 * last. It is the present in ms or, with a clock that is behind the last era or the floor's, one of the next `SPREAD`
 * after these, which the present decides: two stores restored from one backup under such a clock begin different ones.
 * Its predecessor is the counter's last sequence; absent: unknown.
 */
export function nextPlace(o: {
  readonly counter: Counter | undefined;
  readonly floor: Sequence | undefined;
  readonly incarnation: string;
  readonly nowMs: number;
  readonly floorAheadMs: number;
}): Place {
  const { counter, floor } = o;
  const floorAbove = floor !== undefined && (counter === undefined || compareSequences(floor, counter.last) > 0);
  if (floorAbove && floor.era > o.nowMs + o.floorAheadMs) return { type: 'floor_ahead' };
  if (counter !== undefined && !floorAbove && counter.incarnation === o.incarnation) {
    const { last, predecessor } = counter;
    return {
      type: 'next',
      sequence: { era: last.era, number: last.number + 1 },
      ...(predecessor && { predecessor }),
      newEra: false,
    };
  }
  const known = Math.max(counter?.last.era ?? 0, floor?.era ?? 0);
  const era = o.nowMs > known ? o.nowMs : known + 1 + (o.nowMs % SPREAD);
  return {
    type: 'next',
    sequence: { era: parseEra(era), number: 1 },
    ...(counter && { predecessor: counter.last }),
    newEra: true,
  };
}
