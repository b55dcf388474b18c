/** Numbers from `from` to `to`, both included. */
export type Range = { readonly from: number; readonly to: number };

/** Ranges in ascending order that neither touch nor overlap. */
export type Ranges = readonly Range[];

export function contains(ranges: Ranges, number: number): boolean {
  return ranges.some((range) => range.from <= number && number <= range.to);
}

export function add(ranges: Ranges, added: Range): Ranges {
  const before = ranges.filter((range) => range.to < added.from - 1);
  const after = ranges.filter((range) => range.from > added.to + 1);
  const touching = ranges.slice(before.length, ranges.length - after.length);
  const from = Math.min(added.from, ...touching.map((range) => range.from));
  const to = Math.max(added.to, ...touching.map((range) => range.to));
  return [...before, { from, to }, ...after];
}

export function remove(ranges: Ranges, removed: Range): Ranges {
  return ranges.flatMap((range) => {
    if (range.to < removed.from || range.from > removed.to) return [range];
    const left = range.from < removed.from ? [{ from: range.from, to: removed.from - 1 }] : [];
    const right = range.to > removed.to ? [{ from: removed.to + 1, to: range.to }] : [];
    return [...left, ...right];
  });
}

/** What of `whole` no range holds. */
export function missing(ranges: Ranges, whole: Range): Ranges {
  return whole.from > whole.to ? [] : ranges.reduce<Ranges>(remove, [whole]);
}

export function count(ranges: Ranges): number {
  return ranges.reduce((sum, range) => sum + range.to - range.from + 1, 0);
}

export function highest(ranges: Ranges): number {
  return ranges.at(-1)?.to ?? 0;
}
