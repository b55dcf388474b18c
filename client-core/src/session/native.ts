import { LibSignalErrorBase, ProtocolAddress } from '@signalapp/libsignal-client';
import type { DeviceAddress } from '@waxwing/protocol';

/** The same bytes as libsignal takes them: over an ArrayBuffer. Copied only where they are shared memory. */
export function native(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, length } = bytes;
  return buffer instanceof ArrayBuffer ? new Uint8Array(buffer, byteOffset, length) : new Uint8Array(bytes);
}

export function nativeAddress({ account, device }: DeviceAddress): ProtocolAddress {
  return ProtocolAddress.new(account, device);
}

/** What `make` gives, or undefined where libsignal refuses its input. Anything else that is thrown is a bug and goes on. */
export function unlessRefused<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof LibSignalErrorBase) return undefined;
    throw error;
  }
}
