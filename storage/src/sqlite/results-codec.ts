import { parseEra } from '@waxwing/protocol';
import type { Remembered } from '../rules/counter.ts';
import { createByteReader, createByteWriter } from './byte-codec.ts';

/** The results that are remembered of a sender device, as one column: oldest first. */
export function encodeResults(results: readonly Remembered[]): Uint8Array {
  const writer = createByteWriter();
  for (const { n, attempt, digest, sequence, predecessor, serverTimeMs } of results) {
    writer.number(n);
    writer.number(attempt);
    writer.bytes(digest);
    writer.number(sequence.era);
    writer.number(sequence.number);
    writer.optional(predecessor?.era);
    writer.optional(predecessor?.number);
    writer.number(serverTimeMs);
  }
  return writer.finish();
}

export function decodeResults(bytes: Uint8Array): Remembered[] {
  const reader = createByteReader(bytes);
  const results: Remembered[] = [];
  while (!reader.atEnd) {
    const [n, attempt, digest] = [reader.number(), reader.number(), reader.bytes()];
    const sequence = { era: parseEra(reader.number()), number: reader.number() };
    const [era, place] = [reader.optional(), reader.optional()];
    const predecessor = era !== undefined && place !== undefined && { era: parseEra(era), number: place };
    results.push({
      n,
      attempt,
      digest,
      sequence,
      ...(predecessor && { predecessor }),
      serverTimeMs: reader.number(),
    });
  }
  return results;
}
