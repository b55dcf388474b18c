import type { Writable } from 'node:stream';

const CSI = '\u001b[';
/** The other screen, empty; no line goes on in the next row by itself; what is pasted is said to be. */
const ENTER = `${CSI}?1049h${CSI}?7l${CSI}?2004h${CSI}2J`;
const LEAVE = `${CSI}?2004l${CSI}?7h${CSI}0m${CSI}?25h${CSI}?1049l`;
/** Nothing is shown between these; terminals that do not know them show each write. */
const BEGIN = `${CSI}?2026h`;
const END = `${CSI}?2026l`;

/** The place of the cursor, from 0. */
export type Cursor = { readonly row: number; readonly column: number };

/**
 * Brings frames to a terminal: of each only the rows that differ from the one before. Each row is put at its place, so that
 * a terminal that counts a character's columns in its own way spoils no other row. On the screen beside the one that was
 * there, which `leave` gives back.
 */
export class Painter {
  readonly #stdout: Writable;
  #rows: readonly string[] = [];
  #isOn = false;
  #isStale = false;

  constructor(stdout: Writable) {
    this.#stdout = stdout;
  }

  enter(): void {
    this.#isOn = true;
    this.#stdout.write(ENTER);
  }

  paint(frame: string, cursor: Cursor): void {
    if (!this.#isOn) return;
    const rows = frame.split('\n');
    let out = `${BEGIN}${CSI}?25l${this.#isStale ? `${CSI}0m${CSI}2J` : ''}`;
    if (this.#isStale) this.#rows = [];
    this.#isStale = false;
    const count = Math.max(rows.length, this.#rows.length);
    for (let index = 0; index < count; index += 1) {
      const row = rows[index] ?? '';
      if (row !== (this.#rows[index] ?? '')) out += `${CSI}${index + 1};1H${CSI}2K${row}${CSI}0m`;
    }
    this.#rows = rows;
    this.#stdout.write(`${out}${CSI}${cursor.row + 1};${cursor.column + 1}H${CSI}?25h${END}`);
  }

  /** What the terminal shows is not what was drawn: the next frame is drawn whole, on an empty screen. */
  forget(): void {
    this.#isStale = true;
  }

  /** Idempotent. */
  leave(): void {
    if (!this.#isOn) return;
    this.#isOn = false;
    this.#stdout.write(LEAVE);
  }
}
