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
 * The numbers that a claim tells of and the relay did not. A contact can make nobody wait for more than `seenMaxNumbers`
 * of them, nor for eras that the relay never named.
 */
export function unheardOf(view: EpochView, { era, to }: Pick<Seen, 'era' | 'to'>): readonly Gap[] {
  const told = toldOf(view, era);
  const row = view.eras.find((other) => other.era === era);
  if (row === undefined || told === undefined || to - told > limits.seenMaxNumbers) return [];
  return missing(row.holes, { from: told + 1, to }).map((range) => ({ ...range, era }));
}
