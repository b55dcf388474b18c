import { limits, sameBytes, sha256, type Seen } from '@waxwing/protocol';
import type { PlacedHash } from '../history/frames.ts';
import type { Store } from '../history/store.ts';
import { highest, missing } from './ranges.ts';
import { toldOf, type EpochView, type Gap } from './sequencer.ts';

const ENTRY_BYTES = 8 + 32;

/** SHA-256 over, for each number in order, the number as 8 bytes big-endian and its frame's hash. */
function seenHash(placed: readonly PlacedHash[]): Uint8Array {
  const bytes = Buffer.alloc(placed.length * ENTRY_BYTES);
  for (const [index, { number, hash }] of placed.entries()) {
    const at = index * ENTRY_BYTES;
    bytes.writeUInt32BE(Math.floor(number / 2 ** 32), at);
    bytes.writeUInt32BE(number % 2 ** 32, at + 4);
    bytes.set(hash, at + 8);
  }
  return sha256(bytes);
}

/** What this device tells that it has seen: the last run without a hole of the newest era, its end at most. */
export function newestSeen({ coverage, frames }: Store, epoch: number): Seen | undefined {
  const row = coverage.view(epoch).eras.at(-1);
  const run = row?.held.at(-1);
  if (row === undefined || run === undefined) return undefined;
  const to = highest(row.held);
  const from = Math.max(run.from, to - limits.seenMaxNumbers + 1);
  const placed = frames.hashes(epoch, row.era, from, to);
  return placed.length === to - from + 1 ? { era: row.era, from, to, hash: seenHash(placed) } : undefined;
}

/** What a claim is beside what stands at its numbers here: `open` until all of them are held. */
export function judgeSeen(claim: Seen, placed: readonly PlacedHash[]): 'agrees' | 'contradicts' | 'open' {
  if (placed.length !== claim.to - claim.from + 1) return 'open';
  return sameBytes(seenHash(placed), claim.hash) ? 'agrees' : 'contradicts';
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
