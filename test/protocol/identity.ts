import { PrivateKey, PublicKey } from '@signalapp/libsignal-client';
import type { SignIdentity, VerifyIdentity } from '@waxwing/protocol';

/** An identity key pair as accounts have it. */
export type Identity = { readonly publicKey: Uint8Array; readonly sign: SignIdentity };

export function newIdentity(): Identity {
  const key = PrivateKey.generate();
  return { publicKey: key.getPublicKey().serialize(), sign: (message) => key.sign(Uint8Array.from(message)) };
}

export const verifyIdentity: VerifyIdentity = (identityKey, message, signature) =>
  PublicKey.deserialize(Uint8Array.from(identityKey)).verify(Uint8Array.from(message), Uint8Array.from(signature));
