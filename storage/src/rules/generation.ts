import { sameBytes } from '@waxwing/protocol';

/** The clone guard: whether a device that may be stored under `tokens` is the one that was stored last. */
export function holdsToken(stored: Uint8Array | undefined, tokens: readonly Uint8Array[]): boolean {
  return stored === undefined || tokens.some((token) => sameBytes(token, stored));
}
