import { createHash, hash } from 'node:crypto';

/** SHA-256 over the parts, one after the other: 32 bytes. */
export function sha256(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const [first, ...others] = parts;
  if (first !== undefined && others.length === 0) return hash('sha256', first, 'buffer');
  const all = createHash('sha256');
  for (const part of parts) all.update(part);
  return all.digest();
}

/** Whether two byte strings are the same. Not for secrets: its time depends on them. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
