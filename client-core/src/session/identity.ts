import { IdentityKeyPair, PublicKey, type PrivateKey } from '@signalapp/libsignal-client';
import { isPublicKey } from '@waxwing/protocol';
import type { LocalKeys } from './crypto.ts';
import { native, unlessRefused } from './native.ts';

/** A fresh identity whose public key is in the one form that device lists take. */
export function createIdentity(): { keyPair: Uint8Array; publicKey: Uint8Array } {
  for (;;) {
    const pair = IdentityKeyPair.generate();
    const publicKey = pair.publicKey.serialize();
    if (isPublicKey(publicKey)) return { keyPair: pair.serialize(), publicKey };
  }
}

type OwnIdentity = { readonly privateKey: PrivateKey; readonly publicKey: Uint8Array };
const identities = new WeakMap<Uint8Array, OwnIdentity>();

/** This device's identity, read once for as long as its bytes are kept: every message needs it. */
export function ownIdentity({ identityKeyPair }: LocalKeys): OwnIdentity {
  const known = identities.get(identityKeyPair);
  if (known) return known;
  const { privateKey, publicKey } = IdentityKeyPair.deserialize(native(identityKeyPair));
  const read = { privateKey, publicKey: publicKey.serialize() };
  identities.set(identityKeyPair, read);
  return read;
}

export function signIdentity(keyPair: Uint8Array, message: Uint8Array): Uint8Array {
  return IdentityKeyPair.deserialize(native(keyPair)).privateKey.sign(native(message));
}

/** False too for what is no key or no signature. */
export function verifyIdentity(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (!isPublicKey(publicKey) || signature.length !== 64) return false;
  return (
    unlessRefused(() => PublicKey.deserialize(native(publicKey)).verify(native(message), native(signature))) ?? false
  );
}

/**
 * Undefined for a public key with another form of the same key (top bit set, or 2^255 - 19 and above), and for the
 * points of low order, with which everybody agrees on the same secret.
 */
export function agree(keyPair: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  if (!isPublicKey(publicKey) || !isReduced(publicKey)) return undefined;
  const { privateKey } = IdentityKeyPair.deserialize(native(keyPair));
  return unlessRefused(() => privateKey.agree(PublicKey.deserialize(native(publicKey))));
}

/** Whether the coordinate (little-endian after the type byte, top bit clear) is below 2^255 - 19. */
export function isReduced(publicKey: Uint8Array): boolean {
  const [, lowest = 0, ...rest] = publicKey;
  const highest = rest.pop();
  return lowest < 0xed || highest !== 0x7f || rest.some((byte) => byte !== 0xff);
}
