import { startServe } from '../../test/support/cli.ts';
import { RunningProcess } from '../../test/support/processes.ts';
import type { RelayStart } from './orders.ts';

/** `shipped`: waxwing serve. Otherwise the composed one, which can do what is given here. */
export type RelayKind = 'shipped' | Pick<RelayStart, 'pace' | 'failpoint' | 'unsynced' | 'late' | 'early'>;

/** A relay in a process of its own that can end and come back on its port and folder. */
export class RelayProcess {
  readonly folder: string;
  readonly origins: readonly string[];
  #port = 0;
  #process: RunningProcess | undefined;

  constructor(folder: string, origins: readonly string[]) {
    this.folder = folder;
    this.origins = origins;
  }

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
  }

  /** Ends it with -9, and waits for the end. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.process.exit();
  }

  async #startShipped() {
    const { server, url } = await startServe([
      ...['--data', this.folder, '--port', String(this.#port), '--origin', this.origins.join(',')],
      ...['--admin-port', 'off', '--log-level', 'error'],
    ]);
    return { process: server, url };
  }

  async #startComposed(kind: Exclude<RelayKind, 'shipped'>) {
    const start: RelayStart = { folder: this.folder, port: this.#port, origins: this.origins, ...kind };
    const process = new RunningProcess('bench/faults/relay.ts', [JSON.stringify(start)]);
    const line = await process.line((text) => text.includes('waxwing listens on'));
    return { process, url: line.replace(/^.* on /, '') };
  }
}
