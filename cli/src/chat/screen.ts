import { createInterface } from 'node:readline';
import type { Io } from '../io.ts';
import { createOutput } from '../output.ts';
import { TypedLines } from './typed-lines.ts';

/** Where lines appear and are typed, without a terminal: there are only lines. */
export type Screen = {
  print(lines: readonly string[]): void;
  /** The lines that are typed, until the end of the input. */
  readonly typed: AsyncIterable<string>;
  close(): void;
};

export function createScreen({ stdin, stdout }: Io): Screen {
  const reader = createInterface({ input: stdin, crlfDelay: Infinity, terminal: false });
  const out = createOutput(stdout);
  // From the start: the reader keeps no line, nor its end, for who asks later.
  const typed = new TypedLines();
  reader.on('line', (line) => typed.push(line));
  reader.on('close', () => typed.end());
  return {
    print(lines) {
      for (const line of lines) out.line(line).catch(() => reader.close());
    },
    typed,
    close: () => reader.close(),
  };
}
