import { parseEra, type EraNumber } from './ids.ts';
import { limits } from './limits.ts';
import { exactly, malformed, toCount, toNumber } from './schema.ts';

/** The longest hole-free run that ends at the highest contiguous number of the newest era that the sender holds. */
export type Seen = { readonly era: EraNumber; readonly from: number; readonly to: number; readonly hash: Uint8Array };

/** As the schemas have it. */
export function fromSeen({ era, from, to, hash }: Seen) {
  return { era: BigInt(era), from: BigInt(from), to: BigInt(to), hash };
}

/** Refuses with `malformed`. */
export function toSeen(shape: { era: bigint; from: bigint; to: bigint; hash: Uint8Array }): Seen {
  const from = toCount(toNumber(shape.from, 'seen'), 'seen');
  const to = toNumber(shape.to, 'seen');
  if (to < from || to - from >= limits.seenMaxNumbers) malformed('seen');
  return { era: parseEra(toNumber(shape.era, 'era')), from, to, hash: exactly(shape.hash, 32, 'seen') };
}
