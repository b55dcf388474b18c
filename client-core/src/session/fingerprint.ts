import { Fingerprint, PublicKey, ScannableFingerprint } from '@signalapp/libsignal-client';
import { uuidToBytes } from '@waxwing/protocol';
import type { NumericFingerprint, PublicIdentity } from './crypto.ts';
import { native, unlessRefused } from './native.ts';

/** Signal's numbers: how often each half is hashed, and the version of the format. */
const ITERATIONS = 5_200;
const VERSION = 2;
/** libsignal's own are 74 bytes. */
const MAX_BYTES = 256;

/** libsignal's numeric fingerprint over both accounts' ids and identity keys. */
export function fingerprint(own: PublicIdentity, peer: PublicIdentity): NumericFingerprint {
  const made = Fingerprint.new(
    ITERATIONS,
    VERSION,
    native(uuidToBytes(own.account)),
    PublicKey.deserialize(native(own.identityKey)),
    native(uuidToBytes(peer.account)),
    PublicKey.deserialize(native(peer.identityKey)),
  );
  return { digits: made.displayableFingerprint().toString(), scannable: made.scannableFingerprint().toBuffer() };
}

/** False too for what is no fingerprint, or one of another version. */
export function isOtherSide(scannable: Uint8Array, shown: Uint8Array): boolean {
  if (shown.length > MAX_BYTES) return false;
  const [own, other] = [scannable, shown].map((bytes) => ScannableFingerprint._fromBuffer(Uint8Array.from(bytes)));
  if (own === undefined || other === undefined) return false;
  return unlessRefused(() => own.compare(other)) ?? false;
}
