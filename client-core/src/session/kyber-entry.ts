import { KyberPreKeyRecord } from '@signalapp/libsignal-client';
import { native } from './native.ts';

/** A Kyber prekey as the view keeps it: one byte that says how often it may be used (0 once, 1 as last resort), then libsignal's record. */
export type KyberEntry = { readonly use: 'one_time' | 'last_resort'; readonly record: KyberPreKeyRecord };

export function writeKyberEntry({ use, record }: KyberEntry): Uint8Array {
  const bytes = record.serialize();
  const entry = new Uint8Array(1 + bytes.length);
  entry[0] = use === 'last_resort' ? 1 : 0;
  entry.set(bytes, 1);
  return entry;
}

/** Throws on what `writeKyberEntry` did not write. */
export function readKyberEntry(entry: Uint8Array): KyberEntry {
  const [use] = entry;
  if (use !== 0 && use !== 1) throw new Error('not a Kyber prekey entry');
  const record = KyberPreKeyRecord.deserialize(native(entry.subarray(1)));
  return { use: use === 1 ? 'last_resort' : 'one_time', record };
}
