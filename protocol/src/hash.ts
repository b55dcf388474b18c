import { createHash, hash } from 'node:crypto';

/** SHA-256 over the parts, one after the other: 32 bytes. */
export function sha256(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const [first, ...others] = parts;
  // By way of a string: a buffer that is made for each digest costs as much as the digest.
  if (first !== undefined && others.length === 0) return Buffer.from(hash('sha256', first, 'binary'), 'binary');
  const all = createHash('sha256');
  for (const part of parts) all.update(part);
  return all.digest();
}

/** Whether two byte strings are the same. Not for secrets: its time depends on them. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
