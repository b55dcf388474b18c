import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateStoreKey } from '@waxwing/client-core';
import { parsed } from '../../test/support/cli.ts';
import { RunningProcess } from '../../test/support/processes.ts';
import type { TcpProxy } from '../../test/support/tcp-proxy.ts';
import type { HistoryLine } from '../histories.ts';
import type { ClientOrder, ClientStart } from './orders.ts';

const SCRIPT = 'bench/faults/client.ts';

/** A client in a process of its own behind a proxy of its own, and what it has told. */
export class Person {
  readonly name: string;
  readonly proxy: TcpProxy;
  readonly process: RunningProcess;
  /** What it was told to send, in order. */
  readonly said: string[] = [];
  /** The ids of what it reported sent, by text. */
  readonly sent = new Map<string, string>();
  readonly received = new Set<string>();
  /** Messages that its inbox gave out twice without saying so. */
  unmarkedRepeats = 0;
  /** Every state that its connection was in, in order. */
  readonly states: string[] = [];
  readonly failed: string[] = [];
  readonly #listeners = new Set<() => void>();
  #read = 0;

  private constructor(name: string, proxy: TcpProxy, process: RunningProcess) {
    this.name = name;
    this.proxy = proxy;
    this.process = process;
    process.onChange(() => this.#look());
  }

  /** The device of this name in `folder`, a new one if there is none, behind the proxy. Resolves when it is open. */
  static async start(o: {
    readonly name: string;
    readonly folder: string;
    readonly proxy: TcpProxy;
    readonly pace: number;
    readonly deaf?: true;
  }): Promise<Person> {
    const keyFile = join(o.folder, `${o.name}.key`);
    if (!existsSync(keyFile)) writeFileSync(keyFile, generateStoreKey(), { mode: 0o600 });
    const server = `http://127.0.0.1:${o.proxy.port}`;
    const path = join(o.folder, `${o.name}.db`);
    const start: ClientStart = { server, path, keyFile, pace: o.pace, ...(o.deaf && { deaf: o.deaf }) };
    const person = new Person(o.name, o.proxy, startClient(start));
    await person.process.line((line) => line.includes('"ready"'));
    return person;
  }

  get account(): string {
    const ready = this.process.lines.find((line) => line.includes('"ready"'));
    return String(parsed(ready).account);
  }

  get state(): string {
    return this.states.at(-1) ?? 'offline';
  }

  order(order: ClientOrder): void {
    this.process.write(JSON.stringify(order));
  }

  /** Sends so many more messages to `peer`. */
  say(peer: Person, count: number, everyMs: number): void {
    const texts = Array.from({ length: count }, (_, index) => `${this.name} says ${this.said.length + index}`);
    this.said.push(...texts);
    this.order({ do: 'send', peer: peer.account, texts, everyMs });
  }

  async history(peer: Person): Promise<(HistoryLine & { readonly era?: number })[]> {
    const before = this.process.lines.length;
    this.order({ do: 'history', peer: peer.account });
    await this.until(() => this.process.lines.slice(before).some(isHistory), 60_000);
    const line = this.process.lines.slice(before).find(isHistory);
    const { lines } = parsed(line);
    if (!Array.isArray(lines)) throw new Error('no history');
    return lines.map((each: HistoryLine & { readonly era?: number }) => each);
  }

  /** Resolves when it is so, looked at after each thing that it tells; false if it is not so in time. */
  until(isSo: () => boolean, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(look);
      };
      const look = (): void => {
        if (isSo()) {
          done();
          resolve(true);
        } else if (this.process.ended) {
          done();
          reject(new Error(`${this.name} has ended: ${this.process.errors.slice(-2_000)}`));
        }
      };
      const timer = setTimeout(() => {
        done();
        resolve(false);
      }, timeoutMs);
      this.#listeners.add(look);
      look();
    });
  }

  #look(): void {
    for (const { lines } = this.process; this.#read < lines.length; this.#read++) this.#heard(lines[this.#read] ?? '');
    for (const listener of [...this.#listeners]) listener();
  }

  #heard(line: string): void {
    const { said, text, id, state, redelivered } = parsed(line);
    switch (said) {
      case 'sent':
        this.sent.set(String(text), String(id));
        break;
      case 'failed':
        this.failed.push(String(text));
        break;
      case 'received':
        if (this.received.has(String(text)) && redelivered !== true) this.unmarkedRepeats += 1;
        this.received.add(String(text));
        break;
      case 'state':
        this.states.push(String(state));
        break;
    }
  }
}

/** Ends the process of one who is not needed any more. */
export async function endOf({ process }: Person): Promise<void> {
  process.kill('SIGKILL');
  await process.exit();
}

/** Starts a client process on this device. */
export function startClient(start: ClientStart): RunningProcess {
  return new RunningProcess(SCRIPT, [JSON.stringify(start)]);
}

function isHistory(line: string): boolean {
  return line.startsWith('{"said":"history"');
}
