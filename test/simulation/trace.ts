import { createHash } from 'node:crypto';

/** What happened, line by line in virtual time. Two runs of one seed give the same hash; ciphertext bytes are left out. */
export type Trace = {
  line(text: string): void;
  readonly lines: readonly string[];
  hash(): string;
};

/** `keep` false keeps the hash alone. */
export function createTrace(elapsedMs: () => number, keep: boolean): Trace {
  const hash = createHash('sha256');
  const lines: string[] = [];
  return {
    lines,
    line(text) {
      const line = `${elapsedMs().toFixed(0).padStart(8)}  ${text}`;
      hash.update(line);
      hash.update('\n');
      if (keep) lines.push(line);
    },
    hash: () => hash.copy().digest('hex').slice(0, 32),
  };
}
