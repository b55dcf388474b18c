import {
  deviceListHash,
  ProtocolError,
  sameBytes,
  signedBytes,
  verifyDeviceList,
  verifySuccessor,
  type AccountId,
  type DeviceList,
  type SignedDeviceList,
  type VerifyIdentity,
} from '@waxwing/protocol';

/** What a list from the server is, beside the one that was verified before. */
export type ListCheck =
  /** The first of this account, or a later one; `identityChanged` where its key is another. */
  | { readonly type: 'newer'; readonly list: DeviceList; readonly identityChanged: boolean }
  | { readonly type: 'same' }
  /** A good one of before. Who asked when it was known to be old already is lied to. */
  | { readonly type: 'older'; readonly version: number }
  /** Unsigned, or another list under the same version: it must not be used. */
  | { readonly type: 'refused'; readonly what: string };

/**
 * Checks a list. The next version must follow by hash and signatures. Of a list further ahead the versions between are
 * not here: it must be signed by its own key, and by the key before if that changed.
 */
export function checkList(
  kept: { readonly signed: SignedDeviceList; readonly list: DeviceList } | undefined,
  signed: SignedDeviceList,
  account: AccountId,
  verify: VerifyIdentity,
): ListCheck {
  try {
    const list = verifyDeviceList(signed, account, verify);
    if (kept === undefined) return { type: 'newer', list, identityChanged: false };
    if (list.version === kept.list.version) {
      const same = sameBytes(deviceListHash(signed), deviceListHash(kept.signed));
      return same ? { type: 'same' } : { type: 'refused', what: 'two lists of one version' };
    }
    if (list.version < kept.list.version) return { type: 'older', version: list.version };
    if (list.version === kept.list.version + 1) verifySuccessor(kept.signed, signed, verify);
    const identityChanged = !sameBytes(list.identityKey, kept.list.identityKey);
    const grown = list.identityGeneration - kept.list.identityGeneration;
    if (identityChanged ? grown <= 0 : grown !== 0) return { type: 'refused', what: 'identity generation' };
    if (identityChanged && !isSignedBefore(kept.list, signed, verify)) {
      return { type: 'refused', what: 'no signature by the key before' };
    }
    return { type: 'newer', list, identityChanged };
  } catch (error) {
    if (error instanceof ProtocolError) return { type: 'refused', what: error.message };
    throw error;
  }
}

function isSignedBefore(kept: DeviceList, { bytes, previousSignature }: SignedDeviceList, verify: VerifyIdentity) {
  if (previousSignature === undefined) return false;
  return verify(kept.identityKey, signedBytes('identity-rotation', bytes), previousSignature);
}
