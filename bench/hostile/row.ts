/** The rows of hostile input: who is attacked, and with what. */
export const rowNames = ['H1', 'H2', 'H3', 'H4', 'H5', 'H6', 'H7'] as const;
export type RowName = (typeof rowNames)[number];

export type RowOptions = {
  /** About how many cases; a row may round up to whole groups. */
  readonly cases: number;
  readonly seed: number;
  /** How long an honest pair talks before the attack, for comparison. */
  readonly calmMs: number;
};

/** What a row found. `findings` is empty where every case met every condition that the row itself looks at. */
export type RowReport = {
  readonly row: RowName;
  readonly cases: number;
  /** How the cases were answered, by answer. */
  readonly answers: Readonly<Record<string, number>>;
  readonly findings: readonly string[];
  /** Of the server process under attack and the honest pair beside it. */
  readonly siege?: Siege;
  /** Of this process, where a client or a decoder in it is attacked. */
  readonly own?: Own;
};

export type Siege = {
  /** After garbage collection. */
  readonly residentGrowthMiB: number;
  readonly peakMiB: number;
  readonly loopDelayP999Ms: number;
  readonly loopDelayMaxMs: number;
  /** What the honest pair said during the attack, and how long 99 of 100 messages took at most then and before. */
  readonly honest: {
    readonly messages: number;
    readonly perSecond: number;
    readonly p99Ms: number;
    readonly p99CalmMs: number;
  };
};

export type Own = {
  readonly residentGrowthMiB: number;
  readonly peakMiB: number;
  /** How many cases were timed, and the most processor time that one took. */
  readonly timed: number;
  readonly slowestCaseCpuMs: number;
  /** How often what was attacked was shown to be alive. */
  readonly signsOfLife: number;
};

export const inMiB = (bytes: number): number => Math.round(bytes / 1_024 / 1_024);

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

  report(measured: { readonly siege?: Siege | undefined; readonly own?: Own | undefined }): RowReport {
    const more = this.#found - this.#findings.length;
    const { siege, own } = measured;
    return {
      row: this.#row,
      cases: this.#cases,
      answers: Object.fromEntries([...this.#answers].sort(([a], [b]) => (a < b ? -1 : 1))),
      findings: more > 0 ? [...this.#findings, `and ${more} more`] : this.#findings,
      ...(siege && { siege }),
      ...(own && { own }),
    };
  }
}
