import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const running = new Set<RunningProcess>();

/** The environment of a child: this process's, without what is meant for another Waxwing or for a test run. */
const inherited = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(WAXWING_|VITEST|NODE_OPTIONS|npm_)/.test(name)),
);

/** How a process ended: with a code, or by a signal. */
export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** A child process, line by line. It is ended by its own pid, and at the latest when this process ends. */
export class RunningProcess {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #listeners = new Set<() => void>();
  readonly #exit: Promise<Exit>;
  #ended: Exit | undefined;
  #errors = '';

  constructor(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const node = ['--conditions=waxwing-source', '--import', 'tsx', script, ...args];
    this.#child = spawn(process.execPath, node, { cwd: root, env: { ...inherited, ...env } });
    running.add(this);
    if (this.#child.stdout) createInterface({ input: this.#child.stdout }).on('line', (line) => this.#heard(line));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = `${this.#errors}${text}`.slice(-64_000);
      this.#changed();
    });
    this.#child.stdin?.on('error', () => undefined);
    this.#exit = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        running.delete(this);
        this.#ended = { code, signal };
        this.#changed();
        resolve({ code, signal });
      });
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('it was not started');
    return this.#child.pid;
  }

  /** What it has printed so far. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  get errors(): string {
    return this.#errors;
  }

  get ended(): Exit | undefined {
    return this.#ended;
  }

  write(...lines: readonly string[]): void {
    this.#child.stdin?.write(lines.map((line) => `${line}\n`).join(''));
  }

  endInput(): void {
    this.#child.stdin?.end();
  }

  /** Stops reading what it prints, as a reader does that has gone. */
  closeOutput(): void {
    this.#child.stdout?.destroy();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves with the first line that matches, one printed before included. Rejects when it ends first, or is too late. */
  line(matches: (line: string) => boolean, timeoutMs = 30_000): Promise<string> {
    return this.#until(() => this.#lines.find(matches), 'the line', timeoutMs);
  }

  /** Resolves when this stands in what it said on standard error. */
  async said(text: string, timeoutMs = 30_000): Promise<void> {
    await this.#until(() => (this.#errors.includes(text) ? true : undefined), JSON.stringify(text), timeoutMs);
  }

  /** Resolves when it has printed so many lines. */
  async count(lines: number, timeoutMs = 60_000): Promise<readonly string[]> {
    await this.#until(() => (this.#lines.length >= lines ? true : undefined), `${lines} lines`, timeoutMs);
    return this.#lines.slice(0, lines);
  }

  async exit(timeoutMs = 60_000): Promise<Exit> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`still runs after ${timeoutMs} ms\n${this.#story()}`)), timeoutMs);
    });
    return Promise.race([this.#exit, late]).finally(() => clearTimeout(timer));
  }

  /** Calls back after each line and at the end; the answer ends it. */
  onChange(call: () => void): () => void {
    this.#listeners.add(call);
    return () => this.#listeners.delete(call);
  }

  #until<T>(look: () => T | undefined, what: string, timeoutMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(check);
      };
      const check = (): void => {
        const found = look();
        if (found === undefined && this.#ended === undefined) return;
        done();
        if (found === undefined) reject(new Error(`ended without ${what}\n${this.#story()}`));
        else resolve(found);
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`${what} did not come in ${timeoutMs} ms\n${this.#story()}`));
      }, timeoutMs);
      this.#listeners.add(check);
      check();
    });
  }

  #heard(line: string): void {
    this.#lines.push(line);
    this.#changed();
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #story(): string {
    return `${this.#lines.slice(-20).join('\n')}\n${this.#errors}`;
  }
}

/** Ends every process that was started here and still runs, at once. */
export async function endProcesses(): Promise<void> {
  await Promise.all(
    [...running].map((one) => {
      one.kill('SIGKILL');
      return one.exit().catch(() => undefined);
    }),
  );
}

process.once('exit', () => {
  for (const one of running) one.kill('SIGKILL');
});
