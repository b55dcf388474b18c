import { ProtocolError } from '@waxwing/protocol';

/** What `read` gives, or undefined for bytes that the contract refuses. Anything else that is thrown is a bug and goes on. */
export function unlessMalformed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
