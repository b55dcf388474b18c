import { KEMPublicKey, PublicKey } from '@signalapp/libsignal-client';
import { isPublicKey } from '@waxwing/protocol';

/**
 * The points of small order on Curve25519 and its twist with a canonical u coordinate, little-endian: every agreement with
 * one of them gives zero, and libsignal refuses it. Source: https://cr.yp.to/ecdh.html, "validate public keys".
 */
export const smallOrderPoints: readonly string[] = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];

/** The lowest byte of 2^255 - 19: a coordinate with all bits set above it is not reduced. */
const PRIME_LOWEST_BYTE = 0xed;

/**
 * Whether a key can serve as an X25519 public key: 33 bytes with type 5, the top bit clear, reduced, not of small order.
 * Another form of the same point would be another key to whoever compares bytes.
 */
export function isAgreementKey(key: Uint8Array): boolean {
  if (!isPublicKey(key) || !isReduced(key.subarray(1))) return false;
  if (smallOrderPoints.includes(Buffer.from(key.subarray(1)).toString('hex'))) return false;
  try {
    PublicKey.deserialize(new Uint8Array(key));
    return true;
  } catch {
    return false;
  }
}

/** Whether libsignal takes a key as a Kyber-1024 public key: type 8 and 1,568 bytes, no more and no less. */
export function isKyberKey(key: Uint8Array): boolean {
  try {
    KEMPublicKey.deserialize(new Uint8Array(key));
    return true;
  } catch {
    return false;
  }
}

function isReduced(coordinate: Uint8Array): boolean {
  return (
    coordinate[31] !== 0x7f ||
    coordinate.subarray(1, 31).some((byte) => byte !== 0xff) ||
    (coordinate[0] ?? PRIME_LOWEST_BYTE) < PRIME_LOWEST_BYTE
  );
}
