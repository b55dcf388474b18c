import type { Mark, MarkReason } from '@waxwing/protocol';

/** A run of positions, and how many entries between them are gone. */
export type Run = { readonly from: number; readonly to: number; readonly count: number };

/**
 * The marks with `gone` added, oldest first. Neighbours of one reason are one mark. Beyond `kept` marks the two of one
 * reason with the fewest positions between them become one, which then spans entries that are still there.
 */
export function addMark(marks: readonly Mark[], gone: Run, reason: MarkReason, kept: number): readonly Mark[] {
  const same = marks.filter((mark) => mark.reason === reason);
  const others = marks.filter((mark) => mark.reason !== reason);
  const merged: Mark[] = [];
  for (const mark of [...same, { ...gone, reason }].sort(byFrom)) {
    const before = merged.at(-1);
    if (before !== undefined && mark.from <= before.to + 1) merged[merged.length - 1] = join(before, mark);
    else merged.push(mark);
  }
  while (merged.length > Math.max(1, Math.floor(kept / 2))) mergeClosest(merged);
  return [...others, ...merged].sort(byFrom);
}

/** The marks that are not acked past. */
export function marksBehind(marks: readonly Mark[], after: number): readonly Mark[] {
  return marks.filter((mark) => mark.to > after);
}

function mergeClosest(marks: Mark[]): void {
  let at = 0;
  let smallest = Infinity;
  marks.forEach((mark, index) => {
    const next = marks[index + 1];
    if (next !== undefined && next.from - mark.to < smallest) {
      smallest = next.from - mark.to;
      at = index;
    }
  });
  const [first, second] = marks.slice(at, at + 2);
  if (first && second) marks.splice(at, 2, join(first, second));
}

function join(a: Mark, b: Mark): Mark {
  return { from: a.from, to: Math.max(a.to, b.to), count: a.count + b.count, reason: a.reason };
}

function byFrom(a: Mark, b: Mark): number {
  return a.from - b.from;
}
