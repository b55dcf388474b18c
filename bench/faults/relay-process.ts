import { startServe } from '../../test/support/cli.ts';
import { RunningProcess } from '../../test/support/processes.ts';
import type { RelayStart } from './orders.ts';

/** `shipped`: waxwing serve. Otherwise the composed one, which can do what is given here. */
export type RelayKind =
  'shipped' | Pick<RelayStart, 'pace' | 'failpoint' | 'unsynced' | 'late' | 'early' | 'maxConnections'>;

/** A relay in a process of its own that can end and come back on its folder, at a port that is free then. */
export class RelayProcess {
  readonly folder: string;
  readonly origins: readonly string[];
  readonly #listens: (port: number) => void;
  #port = 0;
  #process: RunningProcess | undefined;

  /** `listens` is told each port. */
  constructor(folder: string, origins: readonly string[], listens: (port: number) => void) {
    this.folder = folder;
    this.origins = origins;
    this.#listens = listens;
  }

  /** Where it listens now. */
  get port(): number {
    return this.#port;
  }

  get process(): RunningProcess {
    if (!this.#process) throw new Error('the relay does not run');
    return this.#process;
  }

  async start(kind: RelayKind): Promise<void> {
    const { process, url } = kind === 'shipped' ? await this.#startShipped() : await this.#startComposed(kind);
    this.#process = process;
    this.#port = Number(new URL(url).port);
    this.#listens(this.#port);
  }

  /** Ends it with -9, and waits for the end. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.process.exit();
  }

  async #startShipped() {
    const { server, url } = await startServe([
      ...['--data', this.folder, '--port', '0', '--origin', this.origins.join(',')],
      ...['--admin-port', 'off', '--log-level', 'error'],
    ]);
    return { process: server, url };
  }

  async #startComposed(kind: Exclude<RelayKind, 'shipped'>) {
    const start: RelayStart = { folder: this.folder, origins: this.origins, ...kind };
    const process = new RunningProcess('bench/faults/relay.ts', [JSON.stringify(start)]);
    const line = await process.line((text) => text.includes('waxwing listens on'));
    return { process, url: line.replace(/^.* on /, '') };
  }
}
