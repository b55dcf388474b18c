import { usernames } from '@signalapp/libsignal-client';

/**
 * Whether `proof` (128 bytes) shows that its maker knows a username with this hash (32 bytes). The username stays unknown.
 * Values of another length are answered with false.
 */
export function verifyUsernameProof(hash: Uint8Array, proof: Uint8Array): boolean {
  try {
    usernames.verifyProof(new Uint8Array(proof), new Uint8Array(hash));
    return true;
  } catch {
    return false;
  }
}
