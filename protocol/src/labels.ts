/**
 * The purposes that an own signature can have. What is signed is `waxwing/v1/<purpose>\0` and then the bytes as they
 * travel, so that no signature verifies under another purpose.
 */
export const signaturePurposes = ['device-list', 'identity-rotation', 'group-change', 'recovery', 'roster'] as const;
export type SignaturePurpose = (typeof signaturePurposes)[number];

/** The labels of derived keys and constants: the info of an HKDF or the start of a hashed constant. */
export const keyLabels = {
  direct: 'waxwing/v1/direct',
  chain: 'waxwing/v1/chain',
  epochCommit: 'waxwing/v1/epoch-commit',
  pushTag: 'waxwing/v1/push-tag',
  messageKey: 'waxwing/v1/message-key',
} as const;

/** The bytes that a signature of this purpose covers. */
export function signedBytes(purpose: SignaturePurpose, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`waxwing/v1/${purpose}\0`), bytes]);
}
