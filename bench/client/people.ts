import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer, type RunningServer } from '@waxwing/cli';
import { createClient, openClient, systemRuntime as clientRuntime, type Client, type Dial } from '@waxwing/client-core';
import { decodeDownBatch, encodeUpBatch, systemRuntime as runtime, type Deliver } from '@waxwing/protocol';
import { createLogger } from '@waxwing/relay';
import { createMemoryStorage } from '@waxwing/storage';
import { openStore } from '../../client-core/src/history/store.ts';
import { fillHistory } from '../history/fill.ts';

const KEY = new Uint8Array(32).fill(7);
const plenty = { burst: 1_000_000, refillMs: 1 };

/** A device as its file, closed: each measurement opens a copy of it. */
export type RestingDevice = { readonly account: Client['account']; readonly path: string };

/** A server on memory in this process, and the folder of all devices. */
export class People {
  readonly #folder = mkdtempSync(join(tmpdir(), 'waxwing-bench-'));
  readonly #server: RunningServer;
  #devices = 0;
  #copies = 0;

  private constructor(server: RunningServer) {
    this.#server = server;
  }

  static async meet(): Promise<People> {
    const server = await startServer({
      settings: {
        host: '127.0.0.1',
        port: 0,
        drainSpreadMs: 0,
        maxConnections: 1_000,
        rates: { perAddress: plenty, inAll: plenty, registrationsPerAddress: plenty },
      },
      storage: createMemoryStorage({ runtime }),
      runtime,
      log: createLogger({ level: 'silent' }),
    });
    return new People(server);
  }

  async create(): Promise<{ readonly client: Client; readonly path: string }> {
    this.#devices += 1;
    const path = join(this.#folder, `${this.#devices}.db`);
    return { client: await createClient({ server: this.#server.url, store: { path, key: KEY } }), path };
  }

  /** A device that knows so many people, each of whom it has heard and answered, and their clients, connected. */
  async acquaint(peers: number): Promise<{ device: RestingDevice; senders: Client[] }> {
    const { client, path } = await this.create();
    const { account } = client;
    await client.connect();
    const senders: Client[] = [];
    for (let index = 0; index < peers; index += 1) {
      const peer = await this.create();
      await peer.client.connect();
      await (await (await peer.client.direct(account)).send({ text: 'hello' })).reached('delivered');
      await (await (await client.direct(peer.client.account)).send({ text: 'hello' })).reached('delivered');
      senders.push(peer.client);
    }
    await client.close();
    return { device: { account, path }, senders };
  }

  /** A copy of a resting device, open, on another way to the relay. */
  async wake({ path }: RestingDevice, dial?: Dial): Promise<{ client: Client; path: string }> {
    this.#copies += 1;
    const copy = `${path}.${this.#copies}`;
    copyFileSync(path, copy);
    return { client: await this.reopen(copy, dial), path: copy };
  }

  reopen(path: string, dial?: Dial): Promise<Client> {
    return openClient({ store: { path, key: KEY }, ...(dial && { runtime: { dial } }) });
  }

  /** Puts so many messages of other conversations into a resting device's file. */
  fill({ path }: RestingDevice, messages: number): void {
    const store = openStore(path, KEY, { create: false });
    fillHistory(store, messages);
    store.close();
  }

  forget({ path }: { readonly path: string }): void {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
  }

  async end(): Promise<void> {
    await this.#server.close();
    rmSync(this.#folder, { recursive: true });
  }
}

/** A way to the relay on which mail is kept in `mail`, and taken, instead of reaching the device. */
export function createRecordingDial(mail: Deliver[]): Dial {
  const { dial } = clientRuntime();
  return (url, handlers) => {
    const channel = dial(url, {
      ...handlers,
      received(bytes) {
        const messages = decodeDownBatch(bytes);
        const delivered = messages.filter((message) => message.type === 'deliver');
        const last = delivered.at(-1);
        if (last === undefined) {
          handlers.received(bytes);
          return;
        }
        mail.push(...delivered);
        channel.send(encodeUpBatch([{ type: 'ack', committed: last.position }]));
      },
    });
    return channel;
  };
}
