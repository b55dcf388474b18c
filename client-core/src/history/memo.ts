/** More than a device talks with at once; beyond it all is read again. */
const KEPT = 10_000;

/**
 * What was read from the file, kept for as long as it is true: its store sets or drops it with each write, and all of it
 * is forgotten where a transaction is rolled back. Only the process that has the file writes it.
 */
export class Memo<V> {
  readonly #kept = new Map<string | number, V>();

  get(key: string | number): V | undefined {
    return this.#kept.get(key);
  }

  /** What is kept, or what `read` answers, which is kept unless it is undefined. */
  of<W extends V | undefined>(key: string | number, read: () => W): V | W {
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const value = read();
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: string | number, value: V): void {
    if (this.#kept.size >= KEPT) this.#kept.clear();
    this.#kept.set(key, value);
  }

  drop(key: string | number): void {
    this.#kept.delete(key);
  }

  clear(): void {
    this.#kept.clear();
  }
}
