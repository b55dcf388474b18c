import { Child } from './child.ts';

/** The server, in a process of its own; it keeps its port and its folder over a restart. */
export class RelayProcess {
  readonly #folder: string;
  #child: Child | undefined;
  #url = '';

  constructor(folder: string) {
    this.#folder = folder;
  }

  get url(): string {
    return this.#url;
  }

  async start(): Promise<void> {
    const port = this.#url === '' ? '0' : new URL(this.#url).port;
    let url = '';
    const args = ['serve', '--data', this.#folder, '--port', port, '--admin-port', 'off', '--log-level', 'error'];
    this.#child = new Child('the relay', 'cli/src/main.ts', args, (line) => {
      url = /listens on (\S+)/.exec(line)?.[1] ?? url;
    });
    await this.#child.until('listening', () => url !== '');
    this.#url = url;
  }

  /** As kill -9 does, or a power cut. */
  async kill(): Promise<void> {
    await this.#child?.kill();
  }
}
