import { PublicKey } from '@signalapp/libsignal-client';
import type { VerifyIdentity } from '@waxwing/protocol';

/**
 * Whether `signature` (64 bytes) over `message` is by `identityKey` (33 bytes, as libsignal writes it): XEdDSA, with which
 * libsignal signs device lists and prekeys. A key or signature of another form is answered with false.
 */
export const verifyIdentity: VerifyIdentity = (identityKey, message, signature) => {
  try {
    return PublicKey.deserialize(new Uint8Array(identityKey)).verify(
      new Uint8Array(message),
      new Uint8Array(signature),
    );
  } catch {
    return false;
  }
};
