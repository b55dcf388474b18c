import { limits, parseEra, type Sequence } from '@waxwing/protocol';
import { describe, expect, test } from 'vitest';
import { judge, type Claim } from '../../../../client-core/src/sync/repair-check.ts';
import type { EpochView } from '../../../../client-core/src/sync/sequencer.ts';

const at = (era: number, number: number): Sequence => ({ era: parseEra(era), number });
const NOW = 1_000;

/** Era 5 with 1 to 4, its 3 missing; then era 8, of which the relay does not know what was before, its 2 missing. */
const view: EpochView = {
  start: at(5, 1),
  floor: at(8, 3),
  eras: [
    {
      era: parseEra(5),
      held: [
        { from: 1, to: 2 },
        { from: 4, to: 4 },
      ],
      holes: [{ from: 3, to: 3 }],
    },
    {
      era: parseEra(8),
      held: [
        { from: 1, to: 1 },
        { from: 3, to: 3 },
      ],
      holes: [{ from: 2, to: 2 }],
    },
  ],
};
const judged = (claim: Partial<Claim> & Pick<Claim, 'sequence'>) => judge(view, { isAuthors: true, ...claim }, NOW);

describe('the place that an answer gives to a frame', () => {
  test('is taken where a number is missing, and left where nothing is', () => {
    expect(judged({ sequence: at(5, 3) })).toBe('take');
    expect(judged({ sequence: at(5, 2) })).toBe('leave');
    expect(judged({ sequence: at(6, 1) })).toBe('leave');
    expect(judged({ sequence: at(8, 4) })).toBe('take');
  });

  test('must be between the frames before and after it', () => {
    expect(judged({ sequence: at(5, 3), below: 4 })).toBe('contradiction');
    expect(judged({ sequence: at(5, 3), above: 2 })).toBe('contradiction');
    expect(judged({ sequence: at(5, 3), below: 2, above: 4 })).toBe('take');
    expect(judged({ sequence: at(5, 3), before: at(8, 1) })).toBe('leave');
    expect(judged({ sequence: at(8, 2), after: at(5, 4) })).toBe('leave');
  });

  test('may be ahead of all that is known by no more than a mailbox can lose, in an era that can have begun', () => {
    expect(judged({ sequence: at(8, 3 + limits.repairAheadMaxEntries) })).toBe('take');
    expect(judged({ sequence: at(8, 4 + limits.repairAheadMaxEntries) })).toBe('leave');
    expect(judged({ sequence: at(NOW + limits.floorAheadMs, 1) })).toBe('take');
    expect(judged({ sequence: at(NOW + limits.floorAheadMs + 1, 1) })).toBe('leave');
    expect(judged({ sequence: at(9, limits.repairAheadMaxEntries + 1) })).toBe('leave');
    expect(judge({ eras: [] }, { isAuthors: true, sequence: at(1, 1) }, NOW)).toBe('leave');
  });

  test('may be unknown where the frame is missing without a number, before what revealed it', () => {
    expect(judged({ sequence: at(6, 1), chainedBefore: at(8, 1) })).toBe('take');
    expect(judged({ sequence: at(8, 1), chainedBefore: at(8, 1) })).toBe('leave');
    expect(judged({ sequence: at(8, 2), after: at(5, 4) })).toBe('leave');
  });

  test('contradicts another place of the same era', () => {
    expect(judged({ sequence: at(5, 3), stands: at(5, 4) })).toBe('contradiction');
  });

  test('moves what stands only at its author’s word, from an era that the relay forgot, to a missing number', () => {
    const stands = at(5, 4);
    expect(judged({ sequence: at(8, 2), stands })).toBe('take');
    expect(judged({ sequence: at(8, 2), stands, isAuthors: false })).toBe('leave');
    expect(judged({ sequence: at(8, 4), stands })).toBe('leave');
    const told: EpochView = {
      ...view,
      eras: view.eras.map((row) => (row.era === 8 ? { ...row, predecessor: at(5, 4) } : row)),
    };
    // It is another place as well, and the first one stands.
    expect(judge(told, { isAuthors: true, sequence: at(8, 2), stands }, NOW)).toBe('take');
  });

  test('moves what stands back to a missing number that the newest era counts on from, at anyone’s word', () => {
    const restored: EpochView = {
      ...view,
      eras: [...view.eras, { era: parseEra(9), predecessor: at(5, 4), held: [{ from: 1, to: 1 }], holes: [] }],
    };
    const claim = { isAuthors: false, sequence: at(5, 3), stands: at(8, 1) };
    expect(judge(restored, claim, NOW)).toBe('take');
    expect(judge(restored, { ...claim, sequence: at(5, 4) }, NOW)).toBe('leave');
    // Without the newest era the later place stands, and the earlier is one more.
    expect(judge(view, claim, NOW)).toBe('take');
  });
});
