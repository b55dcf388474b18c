import type { CryptoChange, CryptoKind, CryptoView, DecryptFailure } from './crypto.ts';
import { Overlay } from './overlay.ts';

/**
 * The writes of one crypto call over the view that it began with, and why a store callback failed: libsignal passes on
 * only the text of what a callback throws.
 */
export class StagedCall {
  readonly #entries: Overlay;
  #refusal: DecryptFailure | undefined;
  #fault: { readonly error: unknown } | undefined;

  constructor(view: CryptoView) {
    this.#entries = new Overlay(view);
  }

  get(kind: CryptoKind, key: string): Uint8Array | undefined {
    return this.#entries.get(kind, key);
  }

  put(kind: CryptoKind, key: string, bytes: Uint8Array): void {
    this.#entries.stage([{ kind, key, bytes }]);
  }

  remove(kind: CryptoKind, key: string): void {
    this.#entries.stage([{ kind, key }]);
  }

  /** The last write of each entry. To be taken only where the call succeeded. */
  changes(): CryptoChange[] {
    return [...this.#entries.changes()];
  }

  /** Ends a callback with an expected failure, which `refusal` then names. */
  refuse(reason: DecryptFailure): never {
    this.#refusal ??= reason;
    throw new Error(reason);
  }

  /** The first failure that a callback named. Throws what a callback threw for any other cause: a bug, or a damaged entry. */
  refusal(): DecryptFailure | undefined {
    if (this.#refusal !== undefined) return this.#refusal;
    if (this.#fault) throw this.#fault.error;
    return undefined;
  }

  /** Runs the body of a callback, keeping the cause where it throws. */
  run<T>(body: () => T): Promise<T> {
    try {
      return Promise.resolve(body());
    } catch (error) {
      if (this.#refusal === undefined) this.#fault ??= { error };
      return Promise.reject(error instanceof Error ? error : new Error('store callback', { cause: error }));
    }
  }
}
