import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** The lines of an input, each when it is whole. */
export function inputLines(input: NodeJS.ReadableStream): AsyncIterable<string> {
  return createInterface({ input });
}

/** Prints one JSON line at once: it is out even if the process is killed in the next moment. */
export function say(what: Readonly<Record<string, unknown>>): void {
  const line = Buffer.from(`${JSON.stringify(what)}\n`);
  // A pipe takes as much as it has room for, or nothing until somebody reads.
  for (let at = 0; at < line.length;) {
    try {
      at += writeSync(1, line, at);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    }
  }
}
