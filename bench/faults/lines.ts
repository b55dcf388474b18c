import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** The lines of an input, each when it is whole. */
export function inputLines(input: NodeJS.ReadableStream): AsyncIterable<string> {
  return createInterface({ input });
}

/** Prints one JSON line at once: it is out even if the process is killed in the next moment. */
export function say(what: Readonly<Record<string, unknown>>): void {
  writeSync(1, `${JSON.stringify(what)}\n`);
}
