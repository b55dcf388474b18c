/**
 * What one row of the proof found. `broken`: promises that do not hold, whatever the machine; `over`: figures of time and
 * memory above their limit, which a busy machine may cause. Both are sentences; the row holds where both are empty.
 */
export type RowReport = {
  readonly row: string;
  readonly broken: readonly string[];
  readonly over: readonly string[];
  readonly figures: Readonly<Record<string, unknown>>;
};

/** Collects what a row finds as it goes. */
export function createFindings() {
  const broken: string[] = [];
  const over: string[] = [];
  return {
    broken,
    over,
    /** A promise: a sentence where it does not hold. */
    insist(holds: boolean, promise: string): void {
      if (!holds) broken.push(promise);
    },
    /** A figure and the most that it may be. */
    atMost(name: string, figure: number, limit: number): void {
      if (figure > limit) over.push(`${name}: ${figure} is over ${limit}`);
    },
  };
}

/** One figure to a tenth. */
export function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}

/** The value that so large a part of them does not exceed; 0 of none. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return tenth(sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0);
}

/** The processor time of this process so far, in ms. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
