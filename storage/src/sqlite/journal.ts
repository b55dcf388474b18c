/** A place in memory whose state can be put back. */
export type Place<Before> = { restore(before: Before): void };

/** What was changed in memory since it was last durable, and how it was before. */
export type Journal = {
  /** The place is about to change, or has changed, and was so. */
  note<Before>(place: Place<Before>, before: Before): void;
  /** A point to take changes back to. */
  readonly mark: number;
  /** Takes back what was changed since the mark, newest first. */
  undoTo(mark: number): void;
  /** Everything is to stay as it is. */
  clear(): void;
};

export function createJournal(): Journal {
  // Two arrays and no closure per change: several changes are noted for each message.
  const places: Place<unknown>[] = [];
  const befores: unknown[] = [];
  return {
    note(place, before) {
      places.push(place);
      befores.push(before);
    },
    get mark() {
      return places.length;
    },
    undoTo(mark) {
      while (places.length > mark) places.pop()?.restore(befores.pop());
    },
    clear() {
      places.length = 0;
      befores.length = 0;
    },
  };
}
