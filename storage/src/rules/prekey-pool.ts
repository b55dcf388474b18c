import { sameBytes, sha256 } from '@waxwing/protocol';
import type { OneTimeKey, SignedKey } from '../prekey-store.ts';

/** The hash by which a key is known again: of its public key, for Kyber followed by the signature. */
export function prekeyHash(key: OneTimeKey | SignedKey): Uint8Array {
  return 'signature' in key ? sha256(key.publicKey, key.signature) : sha256(key.publicKey);
}

export type PublishPlan =
  | { readonly type: 'add'; readonly hashes: ReadonlyMap<number, Uint8Array> }
  | { readonly type: 'key_conflict' }
  | { readonly type: 'too_many' };

/**
 * Which of the offered one-time keys of a kind are new. `knownHash` answers the hash of a key that is in the pool or was
 * handed out: the same bytes again are a repeat.
 */
export function planPublish(o: {
  readonly offered: readonly (OneTimeKey | SignedKey)[];
  readonly knownHash: (id: number) => Uint8Array | undefined;
  readonly inPool: number;
  readonly max: number;
}): PublishPlan {
  const added = new Map<number, Uint8Array>();
  for (const key of o.offered) {
    const hash = prekeyHash(key);
    const known = added.get(key.id) ?? o.knownHash(key.id);
    if (known === undefined) added.set(key.id, hash);
    else if (!sameBytes(known, hash)) return { type: 'key_conflict' };
  }
  return o.inPool + added.size > o.max ? { type: 'too_many' } : { type: 'add', hashes: added };
}
