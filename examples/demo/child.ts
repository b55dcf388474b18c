import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const children = new Set<ChildProcess>();
const TOO_LONG_MS = 30_000;

/** Ends what is still running, each by its pid. */
export function endChildren(): void {
  for (const child of children) child.kill('SIGKILL');
}

/** A process of the demo, read line by line. */
export class Child {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #waiting = new Set<() => void>();
  readonly #onLine: (line: string) => void;
  #errors = '';
  #isEnded = false;

  constructor(name: string, script: string, args: readonly string[], onLine: (line: string) => void) {
    this.#name = name;
    this.#onLine = onLine;
    const node = ['--conditions=waxwing-source', '--import', 'tsx', script, ...args];
    // A group of its own: Ctrl-C reaches the demo alone, which then ends its children.
    this.#child = spawn(process.execPath, node, { cwd: root, detached: true });
    children.add(this.#child);
    if (this.#child.stdout) {
      createInterface({ input: this.#child.stdout }).on('line', (line) => {
        this.#onLine(line);
        this.#changed();
      });
    }
    this.#child.stderr?.on('data', (text: Buffer) => (this.#errors += text.toString()));
    this.#child.stdin?.on('error', () => undefined);
    this.#child.once('close', () => {
      children.delete(this.#child);
      this.#isEnded = true;
      this.#changed();
    });
  }

  write(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Resolves when this is so; looked at after each line. Rejects when the process ends first, or it takes too long. */
  until(what: string, isSo: () => boolean): Promise<void> {
    return this.#wait(what, () => isSo(), true);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended();
  }

  ended(): Promise<void> {
    return this.#wait('its end', () => this.#isEnded, false);
  }

  #wait(what: string, isSo: () => boolean, whileRunning: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (error?: Error): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        if (error) reject(error);
        else resolve();
      };
      const look = (): void => {
        if (isSo()) end();
        else if (whileRunning && this.#isEnded) end(new Error(`${this.#name} ended before ${what}\n${this.#errors}`));
      };
      const timer = setTimeout(
        () => end(new Error(`${this.#name}: ${what} did not come\n${this.#errors}`)),
        TOO_LONG_MS,
      );
      this.#waiting.add(look);
      look();
    });
  }

  #changed(): void {
    for (const look of [...this.#waiting]) look();
  }
}
