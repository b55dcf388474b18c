import { createInterface, type Interface } from 'node:readline';
import type { Io } from '../io.ts';
import { createOutput } from '../output.ts';
import { markOf, MARK_COLUMN } from '../transcript.ts';
import type { Message } from '@waxwing/client-core';
import { cells, rowsOf } from './cells.ts';
import { TypedLines } from './typed-lines.ts';

const UP = (rows: number): string => `\u001b[${rows}A`;
const CLEAR_BELOW = '\u001b[0J';
const SAVE = '\u001b7';
const RESTORE = '\u001b8';

/** Where lines appear and are typed. */
export type Screen = {
  print(lines: readonly string[]): void;
  /** An own message, whose mark may change. */
  printOwn(message: Message, lines: readonly string[]): void;
  /** How far an own message that was printed has come; `what` is said where its line cannot be reached any more. */
  mark(message: Message, what: string): void;
  /** Whom the next line goes to. */
  promptFor(name: string): void;
  /** The lines that are typed, until the end of the input. */
  readonly typed: AsyncIterable<string>;
  close(): void;
};

/** On a terminal the marks change in place and the line being typed stays at the bottom; in a pipe there are only lines. */
export function createScreen({ stdin, stdout }: Io): Screen {
  const isTerminal = stdout.isTTY === true && 'isTTY' in stdin && stdin.isTTY === true;
  const reader = createInterface({
    input: stdin,
    crlfDelay: Infinity,
    terminal: isTerminal,
    ...(isTerminal && { output: stdout, prompt: '> ', historySize: 100, removeHistoryDuplicates: true }),
  });
  return isTerminal ? new TerminalScreen(reader, stdout) : pipeScreen(reader, stdout);
}

function pipeScreen(reader: Interface, stdout: Io['stdout']): Screen {
  const out = createOutput(stdout);
  // From the start: the reader keeps no line, nor its end, for who asks later.
  const typed = new TypedLines();
  reader.on('line', (line) => typed.push(line));
  reader.on('close', () => typed.end());
  const print = (lines: readonly string[]): void => {
    for (const line of lines) out.line(line).catch(() => reader.close());
  };
  return {
    print,
    printOwn: (_message, lines) => print(lines),
    mark: (_message, what) => print([what]),
    promptFor: () => undefined,
    typed,
    close: () => reader.close(),
  };
}

/** A line with a mark, and how many rows stand between it and the line being typed, its own included. */
type Marked = { readonly id: Message['id']; rowsUp: number };

class TerminalScreen implements Screen {
  readonly #reader: Interface;
  readonly #stdout: Io['stdout'];
  #marked: Marked[] = [];
  readonly typed = new TypedLines();

  constructor(reader: Interface, stdout: Io['stdout']) {
    this.#reader = reader;
    this.#stdout = stdout;
    // After a change of width nobody knows which row a line is in.
    stdout.on('resize', () => (this.#marked = []));
    reader.on('line', (line) => this.#took(line));
    reader.on('close', () => {
      stdout.write(`\r${CLEAR_BELOW}`);
      this.typed.end();
    });
    reader.prompt();
  }

  print(lines: readonly string[]): void {
    if (this.typed.isEnded) {
      this.#stdout.write(lines.map((line) => `${line}\n`).join(''));
      return;
    }
    const rows = lines.reduce((sum, line) => sum + rowsOf(line, this.#columns), 0);
    for (const line of this.#marked) line.rowsUp += rows;
    this.#marked = this.#marked.filter(({ rowsUp }) => rowsUp < this.#height);
    const { rows: promptRows } = this.#reader.getCursorPos();
    const toPrompt = `${promptRows > 0 ? UP(promptRows) : ''}\r${CLEAR_BELOW}`;
    this.#stdout.write(`${toPrompt}${lines.map((line) => `${line}\n`).join('')}${this.#typing()}`);
  }

  printOwn({ id }: Message, lines: readonly string[]): void {
    const rows = lines.reduce((sum, line) => sum + rowsOf(line, this.#columns), 0);
    this.print(lines);
    this.#marked.push({ id, rowsUp: rows });
  }

  mark(message: Message, what: string): void {
    const line = this.#marked.find(({ id }) => id === message.id);
    const { rows: promptRows } = this.#reader.getCursorPos();
    const isReached = !this.typed.isEnded && line !== undefined && line.rowsUp + promptRows < this.#height;
    if (!isReached || message.status.state === 'failed') {
      this.print([what]);
      return;
    }
    const column = `\u001b[${MARK_COLUMN + 1}G`;
    this.#stdout.write(`${SAVE}${UP(line.rowsUp + promptRows)}${column}${markOf(message.status)}${RESTORE}`);
  }

  promptFor(name: string): void {
    this.#reader.setPrompt(`${name}> `);
    this.print([]);
  }

  close(): void {
    this.#reader.close();
  }

  /** What was typed is taken off the screen: it comes back as a message, or as what a command says. */
  #took(line: string): void {
    const rows = Math.floor(cells(this.#reader.getPrompt() + line) / this.#columns) + 1;
    this.#stdout.write(`${UP(rows)}\r${CLEAR_BELOW}`);
    this.#reader.prompt();
    this.typed.push(line);
  }

  /**
   * The line being typed, and the cursor where it was in it. Drawn here: the reader's own drawing begins by going up as
   * many rows as it drew last, which after something was pasted is not where it stands.
   */
  #typing(): string {
    const text = this.#reader.getPrompt() + this.#reader.line;
    const cursor = this.#reader.getCursorPos();
    const last = Math.floor(cells(text) / this.#columns);
    const isFull = cells(text) % this.#columns === 0;
    const up = last - cursor.rows;
    return `${text}${isFull ? ' ' : ''}${up > 0 ? UP(up) : ''}\u001b[${cursor.cols + 1}G`;
  }

  get #columns(): number {
    return this.#stdout.columns ?? 80;
  }

  get #height(): number {
    return this.#stdout.rows ?? 24;
  }
}
