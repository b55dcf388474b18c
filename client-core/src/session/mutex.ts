/** Runs one task at a time, in the order they came: the unit of work's lock, from first read to commit. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T> | T): Promise<T> {
    const turn = this.#last.then(task);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Resolves when all that was asked so far is done. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
