/** A line of a history: a message, or a hole. */
export type HistoryLine = { readonly kind: string; readonly id: string; readonly text: string };

/** Counted over all histories. */
export type Comparison = {
  readonly lost: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  readonly holes: number;
  readonly historiesEqual: boolean;
};

/**
 * Holds the histories of both ends against what was said: each list of `said` must stand there in its order, whatever
 * stands between, and every id of `sent`, which were reported sent. Every text is different.
 */
export function compareHistories(
  said: readonly (readonly string[])[],
  sent: readonly string[],
  histories: readonly (readonly HistoryLine[])[],
): Comparison {
  const counts = { lost: 0, duplicated: 0, outOfOrder: 0, holes: 0 };
  for (const history of histories) {
    const messages = history.filter(({ kind }) => kind === 'message');
    const texts = messages.map(({ text }) => text);
    counts.holes += history.length - messages.length;
    counts.duplicated += texts.length - new Set(texts).size;
    for (const list of said) {
      const wanted = new Set(list);
      counts.lost += missing(list, texts);
      counts.outOfOrder += displaced(
        list,
        [...new Set(texts)].filter((text) => wanted.has(text)),
      );
    }
    // What was reported sent is there under the id that was reported.
    const ids = new Set(messages.map(({ id }) => id));
    counts.lost += sent.filter((id) => !ids.has(id)).length;
  }
  const orders = new Set(histories.map((history) => JSON.stringify(history.map(({ id }) => id))));
  return { ...counts, historiesEqual: orders.size === 1 };
}

export function missing(expected: readonly string[], found: readonly string[]): number {
  const held = new Set(found);
  return expected.filter((text) => !held.has(text)).length;
}

/** How many do not stand after the one that was said before them. */
export function displaced(expected: readonly string[], found: readonly string[]): number {
  const place = new Map(expected.map((text, index) => [text, index]));
  let last = -1;
  let count = 0;
  for (const text of found) {
    const at = place.get(text) ?? -1;
    if (at < last) count += 1;
    last = Math.max(last, at);
  }
  return count;
}
