import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const POLL_MS = 50;

/** Keys by tmux's names. */
type KeyPress = 'Enter' | 'Tab' | 'Escape' | 'PPage' | 'NPage' | 'C-c' | 'C-u' | 'C-r' | 'M-Enter';

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

  constructor(
    name: string,
    args: readonly string[],
    o: { readonly columns: number; readonly rows: number; readonly noColour?: boolean },
  ) {
    this.#socket = `waxwing-${name}-${process.pid}`;
    const node = [process.execPath, '--conditions=waxwing-source', '--import', 'tsx', 'cli/src/main.ts', ...args];
    const command = [...(o.noColour ? ['env', 'NO_COLOR=1'] : []), ...node].map((word) => `'${word}'`).join(' ');
    const shown = `echo before; ${command}; echo "ended with $?"; exec cat`;
    this.#tmux('-f', '/dev/null', 'new-session', '-d', '-x', `${o.columns}`, '-y', `${o.rows}`, '-c', root, shown);
  }

  /** Types a line. */
  type(line: string): void {
    this.keys(line);
    this.press('Enter');
  }

  /** Types without an end of line. */
  keys(text: string): void {
    this.#tmux('send-keys', '-l', text);
  }

  press(key: KeyPress): void {
    this.#tmux('send-keys', key);
  }

  /** As a person pastes it: the program is told so if it asked to be. */
  paste(text: string): void {
    this.#tmux('set-buffer', text);
    this.#tmux('paste-buffer', '-p');
  }

  resize(columns: number, rows: number): void {
    this.#tmux('resize-window', '-x', `${columns}`, '-y', `${rows}`);
  }

  /** The rows of the screen, without the spaces that they end with. */
  screen(): string {
    const rows = this.#tmux('capture-pane', '-p').split('\n');
    return rows
      .map((row) => row.trimEnd())
      .join('\n')
      .trimEnd();
  }

  /** Resolves with the screen once it is so. */
  async until(isSo: (screen: string) => boolean, timeoutMs = 60_000): Promise<string> {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const screen = this.screen();
      if (isSo(screen)) return screen;
      if (Date.now() > end) throw new Error(`the screen did not come to it (${String(isSo)}):\n${screen}`);
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
