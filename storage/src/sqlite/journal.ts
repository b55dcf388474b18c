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

/** Room for so many changes is kept for the next ones. */
const PLACES_KEPT = 65_536;

export function createJournal(): Journal {
  // Two arrays and no closure per change: several changes are noted for each message.
  const places: (Place<unknown> | undefined)[] = [];
  const befores: unknown[] = [];
  let noted = 0;
  const forgetTo = (mark: number): void => {
    places.fill(undefined, mark, noted);
    befores.fill(undefined, mark, noted);
    noted = mark;
  };
  return {
    note(place, before) {
      places[noted] = place;
      befores[noted] = before;
      noted += 1;
    },
    get mark() {
      return noted;
    },
    undoTo(mark) {
      for (let at = noted - 1; at >= mark; at -= 1) places[at]?.restore(befores[at]);
      forgetTo(mark);
    },
    clear() {
      const isLarge = noted > PLACES_KEPT;
      forgetTo(0);
      if (isLarge) places.length = befores.length = 0;
    },
  };
}
