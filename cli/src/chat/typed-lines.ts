/** Lines in the order of their coming, each kept until it is asked for. For one reader. */
export class TypedLines implements AsyncIterable<string> {
  readonly #lines: string[] = [];
  #isEnded = false;
  #wake: (() => void) | undefined;

  get isEnded(): boolean {
    return this.#isEnded;
  }

  push(line: string): void {
    this.#lines.push(line);
    this.#wake?.();
  }

  /** Nothing more comes; what has come is still given. */
  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) yield line;
      else if (this.#isEnded) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
