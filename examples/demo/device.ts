import { Child } from './child.ts';
import { readTold, type Command, type HistoryEntry, type Told } from './wire.ts';

/** One person's device: its process comes and goes, its folder stays. */
export class Device {
  readonly name: string;
  readonly #server: string;
  readonly #folder: string;
  #child: Child | undefined;
  #account = '';
  #isOnline = false;
  #histories: (readonly HistoryEntry[])[] = [];
  /** Every message as it was given to the app, in order. */
  readonly received: { readonly id: string; readonly text: string }[] = [];
  /** How far each own message is, in the order of sending. */
  readonly statuses = new Map<string, string>();

  constructor(o: { readonly name: string; readonly server: string; readonly folder: string }) {
    this.name = o.name;
    this.#server = o.server;
    this.#folder = o.folder;
  }

  get account(): string {
    return this.#account;
  }

  async start(): Promise<void> {
    const beginning = this.#account === '' ? 'new' : 'again';
    this.#isOnline = false;
    const args = [this.#server, this.#folder, beginning];
    this.#child = new Child(this.name, 'examples/demo/person.ts', args, (line) => this.#heard(readTold(line)));
    await this.#child.until('being online', () => this.#isOnline);
  }

  async stop(): Promise<void> {
    this.#tell({ type: 'quit' });
    await this.#child?.ended();
    this.#child = undefined;
  }

  /** Resolves with the message's id when it is in the outbox, durable. */
  async say(to: string, text: string): Promise<string> {
    const before = this.statuses.size;
    this.#tell({ type: 'say', to, text });
    await this.#child?.until('taking a message', () => this.statuses.size > before);
    return [...this.statuses.keys()][before] ?? '';
  }

  async untilAll(states: readonly string[]): Promise<void> {
    await this.#child?.until(`everything being ${states.join(' or ')}`, () =>
      [...this.statuses.values()].every((status) => states.includes(status)),
    );
  }

  async untilReceived(count: number): Promise<void> {
    await this.#child?.until(`${count} messages`, () => this.received.length >= count);
  }

  async history(peer: string): Promise<readonly HistoryEntry[]> {
    const before = this.#histories.length;
    this.#tell({ type: 'history', with: peer });
    await this.#child?.until('a history', () => this.#histories.length > before);
    return this.#histories[before] ?? [];
  }

  #tell(command: Command): void {
    this.#child?.write(JSON.stringify(command));
  }

  #heard(told: Told): void {
    switch (told.type) {
      case 'here':
        this.#account = told.account;
        break;
      case 'online':
        this.#isOnline = true;
        break;
      case 'received':
        this.received.push({ id: told.id, text: told.text });
        break;
      case 'status':
        this.statuses.set(told.id, told.status);
        break;
      case 'history':
        this.#histories.push(told.items);
        break;
    }
  }
}
