import type { Speaker } from './texts.ts';

const marks: Readonly<Record<string, string>> = { queued: '… ', sent: '✓ ', delivered: '✓✓', read: '✓✓' };
const INDENT: Readonly<Record<Speaker, number>> = { Alice: 0, Bob: 12 };

/** The page that the demo writes: Alice on the left, Bob indented, each line with its time and how far it has come. */
export class Transcript {
  readonly #write: (line: string) => void;
  #day = '';

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  said(from: Speaker, text: string, at: Date, status: string): void {
    const day = at.toLocaleDateString('en-GB', { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
    if (day !== this.#day) this.#write(`\n  ── ${day} ──\n`);
    this.#day = day;
    const time = at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
    this.#write(`  ${time} ${marks[status] ?? '? '} ${' '.repeat(INDENT[from])}${from}: ${text}`);
  }

  happened(what: string): void {
    this.#write(`\n  ── ${what} ──\n`);
  }

  plain(line: string): void {
    this.#write(line);
  }
}
