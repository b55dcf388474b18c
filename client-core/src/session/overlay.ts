import type { CryptoChange, CryptoKind, CryptoView } from './crypto.ts';

/**
 * The staged changes of a unit of work over the committed entries. It reads its own writes. Each crypto call's changes
 * are staged as a whole on success; those of a failed call are never staged.
 */
export class Overlay implements CryptoView {
  readonly #under: CryptoView;
  readonly #staged = new Map<string, CryptoChange>();

  constructor(under: CryptoView) {
    this.#under = under;
  }

  get(kind: CryptoKind, key: string): Uint8Array | undefined {
    const staged = this.#staged.get(`${kind}/${key}`);
    return staged ? staged.bytes : this.#under.get(kind, key);
  }

  stage(changes: readonly CryptoChange[]): void {
    for (const change of changes) this.#staged.set(`${change.kind}/${change.key}`, change);
  }

  changes(): Iterable<CryptoChange> {
    return this.#staged.values();
  }
}
