import {
  handleFromBytes,
  keyLabels,
  uuidToBytes,
  type AccountId,
  type DeviceList,
  type Handle,
} from '@waxwing/protocol';
import type { Crypto } from '../session/crypto.ts';

/** The epoch in which two accounts with these lists now talk. */
export type DirectEpoch = { readonly number: number; readonly handle: Handle };

/**
 * The handle is HKDF-SHA256 of the agreement of both identity keys, under the label and both account ids sorted; the
 * epoch's number is the sum of both identity generations. Undefined for a peer key that must not be used.
 */
export function directEpoch(
  crypto: Crypto,
  own: { readonly keyPair: Uint8Array; readonly account: AccountId; readonly list: DeviceList },
  peer: DeviceList,
): DirectEpoch | undefined {
  const secret = crypto.agree(own.keyPair, peer.identityKey);
  if (secret === undefined) return undefined;
  const accounts = [own.account, peer.account].sort().map(uuidToBytes);
  const info = Buffer.concat([Buffer.from(keyLabels.direct), ...accounts]);
  return {
    number: own.list.identityGeneration + peer.identityGeneration,
    handle: handleFromBytes(crypto.derive(secret, info, 32)),
  };
}
