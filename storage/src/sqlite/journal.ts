/** How to take back what was changed in memory since it was last durable. */
export type Journal = {
  /** Remembers how to take one change back. */
  note(undo: () => void): void;
  /** A place to take changes back to. */
  readonly mark: number;
  /** Takes back what was changed since the mark, newest first. */
  undoTo(mark: number): void;
  /** Everything is to stay as it is. */
  clear(): void;
};

export function createJournal(): Journal {
  const undos: (() => void)[] = [];
  return {
    note: (undo) => void undos.push(undo),
    get mark() {
      return undos.length;
    },
    undoTo(mark) {
      while (undos.length > mark) undos.pop()?.();
    },
    clear() {
      undos.length = 0;
    },
  };
}
