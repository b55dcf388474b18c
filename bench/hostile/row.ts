/** The rows of hostile input: who is attacked, and with what. */
export const rowNames = ['H1', 'H2', 'H3', 'H4', 'H5', 'H6', 'H7'] as const;
export type RowName = (typeof rowNames)[number];

export type RowOptions = {
  /** About how many cases; a row may round up to whole groups. */
  readonly cases: number;
  readonly seed: number;
};

/** What a row found. `findings` is empty where every case met every condition. */
export type RowReport = {
  readonly row: RowName;
  readonly cases: number;
  /** How the cases were answered, by answer. */
  readonly answers: Readonly<Record<string, number>>;
  readonly findings: readonly string[];
  /** Of the process under attack, where there is one. */
  readonly measured?: Measured;
};

export type Measured = {
  readonly residentGrowthMiB: number;
  readonly loopDelayP999Ms: number;
  /** What the honest pair said meanwhile. */
  readonly honestMessages: number;
};

const FINDINGS_KEPT = 20;

/** Counts answers, and keeps the first findings. */
export class Tally {
  readonly #row: RowName;
  readonly #answers = new Map<string, number>();
  readonly #findings: string[] = [];
  #cases = 0;
  #found = 0;

  constructor(row: RowName) {
    this.#row = row;
  }

  answered(answer: string): void {
    this.#cases += 1;
    this.#answers.set(answer, (this.#answers.get(answer) ?? 0) + 1);
  }

  found(finding: string): void {
    this.#found += 1;
    if (this.#findings.length < FINDINGS_KEPT) this.#findings.push(finding.slice(0, 2_000));
  }

  report(): RowReport {
    const more = this.#found - this.#findings.length;
    return {
      row: this.#row,
      cases: this.#cases,
      answers: Object.fromEntries([...this.#answers].sort(([a], [b]) => (a < b ? -1 : 1))),
      findings: more > 0 ? [...this.#findings, `and ${more} more`] : this.#findings,
    };
  }
}
