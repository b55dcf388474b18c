import { sameBytes, type Sequence } from '@waxwing/protocol';
import type { SequencedSubmit, SubmitResult } from '../mailbox-store.ts';
import type { StoreLimits } from '../store-limits.ts';
import type { Counter, Remembered, SenderMemory } from './counter.ts';
import { checkSequencedSets, type Addressed, type NewestList } from './device-sets.ts';
import { nextPlace } from './era.ts';

/** All that the decision depends on. Counter and memory are those alive now. */
export type CommitView = {
  readonly counter: Counter | undefined;
  readonly memory: SenderMemory | undefined;
  readonly newestList: NewestList;
  /** The store's own incarnation. */
  readonly incarnation: string;
  readonly nowMs: number;
  readonly limits: StoreLimits;
};

export type CommitDecision =
  | { readonly type: 'answer'; readonly result: SubmitResult }
  | {
      readonly type: 'commit';
      readonly sequence: Sequence;
      readonly predecessor?: Sequence;
      readonly devices: readonly Addressed[];
    };

/** The steps of `MailboxStore.submit`, in its order: what to answer, or what to commit. */
export function decideCommit(submit: SequencedSubmit, view: CommitView): CommitDecision {
  const known = answerKnown(submit, view.memory);
  if (known) return answer(known);
  const last = view.memory?.last ?? 0;
  if (submit.n !== last + 1 && (last >= submit.oldest || submit.n !== submit.oldest)) return refuse('out_of_order');

  const sets = checkSequencedSets(submit.sender, submit.recipients, view.newestList);
  if (sets.type !== 'fits') return answer(sets);

  const { counter, incarnation, nowMs, limits } = view;
  const place = nextPlace({ counter, floor: submit.floor, incarnation, nowMs, floorAheadMs: limits.floorAheadMs });
  if (place.type === 'floor_ahead') return refuse('floor_ahead');

  const lastChange = place.newEra ? undefined : counter?.lastChange;
  if (lastChange !== undefined && submit.changeBase !== undefined && submit.changeBase < lastChange) {
    return answer({ type: 'stale_group', lastChange });
  }
  const { sequence, predecessor } = place;
  return { type: 'commit', sequence, ...(predecessor && { predecessor }), devices: sets.devices };
}

/** The counter after a commit. */
export function advance(
  counter: Counter | undefined,
  commit: {
    readonly sequence: Sequence;
    readonly predecessor?: Sequence;
    readonly change: boolean;
    readonly incarnation: string;
    readonly serverTimeMs: number;
  },
): Counter {
  const { sequence, predecessor, incarnation, serverTimeMs } = commit;
  const sameEra = counter?.last.era === sequence.era;
  const lastChange = commit.change ? sequence.number : sameEra ? counter.lastChange : undefined;
  return {
    life: counter?.life ?? sequence.era,
    last: sequence,
    ...(predecessor && { predecessor }),
    ...(lastChange !== undefined && { lastChange }),
    incarnation,
    usedMs: Math.max(counter?.usedMs ?? 0, serverTimeMs),
  };
}

/** The memory after a commit: the last n and at most `kept` results. */
export function remember(
  memory: SenderMemory | undefined,
  life: number,
  result: Remembered,
  kept: number,
): SenderMemory {
  const results: Remembered[] = [];
  const before = memory?.results ?? [];
  for (let place = Math.max(0, before.length + 1 - kept); place < before.length; place += 1) {
    const one = before[place];
    if (one) results.push(one);
  }
  results.push(result);
  return { life, last: result.n, results };
}

function answerKnown(submit: SequencedSubmit, memory: SenderMemory | undefined): SubmitResult | undefined {
  if (memory === undefined || submit.n > memory.last) return undefined;
  const found = memory.results.find(({ n }) => n === submit.n);
  if (found === undefined) return { type: 'refused', code: 'stale_n' };
  if (found.attempt === submit.attempt && !sameBytes(found.digest, submit.digest)) {
    return { type: 'refused', code: 'conflict' };
  }
  return {
    type: 'accepted',
    duplicate: true,
    attempt: found.attempt,
    sequence: found.sequence,
    ...(found.predecessor && { predecessor: found.predecessor }),
    serverTimeMs: found.serverTimeMs,
  };
}

function answer(result: SubmitResult): CommitDecision {
  return { type: 'answer', result };
}

function refuse(code: 'out_of_order' | 'floor_ahead'): CommitDecision {
  return answer({ type: 'refused', code });
}
