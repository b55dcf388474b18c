import { limits, sameBytes, sha256, type Seen } from '@waxwing/protocol';
import type { Store } from '../history/store.ts';
import { highest, missing, type Range } from './ranges.ts';
import { toldOf, type EpochView, type Gap } from './sequencer.ts';

/** Of each number: 8 bytes of it, and the hash of its frame. */
const ENTRY_BYTES = 8 + 32;

/** What this device tells that it has seen: the last run without a hole of the newest era, its end at most. */
export function newestSeen({ coverage, frames }: Store, epoch: number): Seen | undefined {
  const row = coverage.view(epoch).eras.at(-1);
  const run = row?.held.at(-1);
  if (row === undefined || run === undefined) return undefined;
  const to = highest(row.held);
  const from = Math.max(run.from, to - limits.seenMaxNumbers + 1);
  const entries = frames.seenEntries(epoch, row.era, from, to);
  return isWhole(entries, { from, to }) ? { era: row.era, from, to, hash: sha256(entries) } : undefined;
}

/** What a claim is beside the entries that stand at its numbers here: `open` until all of them are held. */
export function judgeSeen(claim: Seen, entries: Uint8Array): 'agrees' | 'contradicts' | 'open' {
  if (!isWhole(entries, claim)) return 'open';
  return sameBytes(sha256(entries), claim.hash) ? 'agrees' : 'contradicts';
}

function isWhole(entries: Uint8Array, { from, to }: Range): boolean {
  return entries.length === (to - from + 1) * ENTRY_BYTES;
}

/**
 * How far a contact is believed that there is more than is known of: a step of `seenMaxNumbers` towards what it says, and
 * not at all of more than a mailbox can lose.
 */
export function believed(claimed: number, known: number): number {
  if (claimed > known + limits.repairAheadMaxEntries) return known;
  return Math.min(claimed, known + limits.seenMaxNumbers);
}

/**
 * The numbers that a claim tells of and the relay did not, as far as it is believed; none of eras that the relay never
 * named.
 */
export function unheardOf(view: EpochView, { era, to }: Pick<Seen, 'era' | 'to'>): readonly Gap[] {
  const told = toldOf(view, era);
  const row = view.eras.find((other) => other.era === era);
  if (row === undefined || told === undefined) return [];
  return missing(row.holes, { from: told + 1, to: believed(to, told) }).map((range) => ({ ...range, era }));
}
