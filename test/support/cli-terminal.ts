import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const POLL_MS = 100;

/**
 * Why no test can have a terminal here, or undefined where one can: tmux is optional on a developer's machine. In CI it is
 * not, and a test goes on to fail for want of it.
 */
export function whyNoTerminal(env: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  if (env.CI === 'true' || spawnSync('tmux', ['-V'], { env: { ...env } }).status === 0) return undefined;
  return 'tmux is not installed: the chat in a terminal is not tested';
}

/** `waxwing` in a terminal of its own, whose screen can be read. It is on a tmux server that nobody else uses. */
export class Terminal {
  readonly #socket: string;

  constructor(name: string, args: readonly string[], size: { readonly columns: number; readonly rows: number }) {
    this.#socket = `waxwing-${name}-${process.pid}`;
    const command = [process.execPath, '--conditions=waxwing-source', '--import', 'tsx', 'cli/src/main.ts', ...args];
    const shown = `${command.map((word) => `'${word}'`).join(' ')}; echo "ended with $?"; exec cat`;
    const { columns, rows } = size;
    this.#tmux('-f', '/dev/null', 'new-session', '-d', '-x', `${columns}`, '-y', `${rows}`, '-c', root, shown);
  }

  /** Types a line. */
  type(line: string): void {
    this.#tmux('send-keys', '-l', line);
    this.#tmux('send-keys', 'Enter');
  }

  /** Types without an end of line. */
  keys(text: string): void {
    this.#tmux('send-keys', '-l', text);
  }

  interrupt(): void {
    this.#tmux('send-keys', 'C-c');
  }

  screen(): string {
    return this.#tmux('capture-pane', '-p', '-J').trimEnd();
  }

  /** Resolves with the screen once it is so. */
  async until(isSo: (screen: string) => boolean, timeoutMs = 30_000): Promise<string> {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const screen = this.screen();
      if (isSo(screen)) return screen;
      if (Date.now() > end) throw new Error(`the screen did not come to it:\n${screen}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Ends the terminal and what runs in it. */
  end(): void {
    this.#tmux('kill-server');
  }

  #tmux(...args: readonly string[]): string {
    return execFileSync('tmux', ['-L', this.#socket, ...args], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
  }
}
