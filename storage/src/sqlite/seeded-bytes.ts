import { createHash } from 'node:crypto';
import type { RandomBytes } from '@waxwing/protocol';

/** Random bytes that follow from 32 random bytes: SHA-256 over the seed and a count. Never give one seed twice. */
export function seededBytes(seed: Uint8Array): RandomBytes {
  let count = 0;
  return (length) => {
    const blocks = Array.from({ length: Math.ceil(length / 32) }, () =>
      createHash('sha256').update(seed).update(`\0${count++}`).digest(),
    );
    return Buffer.concat(blocks).subarray(0, length);
  };
}
