/** What a commit changed, told once it is durable. */
export type Change = {
  /** Conversations whose history, outbox or receipts changed, by the file's numbers. */
  readonly conversations: ReadonlySet<number>;
  /** Messages entered the inbox. */
  readonly inbox: boolean;
};

type Listener = (change: Change) => void;

/** Tells live queries, statuses and readers of the inbox that something changed; they look for themselves. */
export class ChangeBus {
  readonly #listeners = new Set<Listener>();

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(change: Change): void {
    if (change.conversations.size === 0 && !change.inbox) return;
    for (const listener of [...this.#listeners]) listener(change);
  }
}
