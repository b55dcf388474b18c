import { ProtocolError } from '@waxwing/protocol';

/**
 * The bytes of a base64url text without padding. Each byte string has one text: any other is refused with `malformed`, so
 * that two texts are never the same key. `what` names the part and is all that the refusal says.
 */
export function parseBase64url(text: string, what: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) throw new ProtocolError('malformed', what);
  return bytes;
}

export function toBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

/** How long the text of so many bytes is. */
export function base64urlLength(bytes: number): number {
  return Math.ceil((bytes * 4) / 3);
}
