import { createHash } from 'node:crypto';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { createClient, generateStoreKey, type Client, type SentMessage } from '@waxwing/client-core';
import { parsed, temporaryFolder } from '../../test/support/cli.ts';
import { endProcesses, RunningProcess } from '../../test/support/processes.ts';
import type { Measured, RowReport, Tally } from './row.ts';

const MiB = 1024 * 1024;
const GROWTH_MAX_MIB = 64;
/** No turn of the loop that one case could make. The proof holds the 99.9th percentile to less. */
const LOOP_DELAY_MAX_MS = 1_000;
const HONEST_EVERY_MS = 20;
/** An honest message is there by then, on a machine that does everything at once. */
const HONEST_WITHIN_MS = 60_000;

export type Besieged = { readonly url: string; readonly port: number };

type Vitals = { readonly pid: number; readonly residentBytes: number; readonly loopDelayP999Ms: number };

/**
 * Runs an attack on a real server process, and holds it to what every attack must leave as it was: the process lives and is
 * the same; its memory after garbage collection has not grown by more than 64 MiB; its event loop was not held up; the
 * directory holds what it held; an honest pair that says 50 messages a second loses none, in order, and goes on afterwards.
 */
export async function besiege(tally: Tally, attack: (target: Besieged) => Promise<void>): Promise<RowReport> {
  const { path: folder, remove } = temporaryFolder('siege');
  const data = join(folder, 'server');
  const args = ['--data', data, '--port', '0', '--admin-port', 'off', '--log-level', 'error'];
  const server = new RunningProcess('bench/hostile/server-process.ts', args);
  const clients: Client[] = [];
  try {
    const line = await server.line((text) => text.includes('waxwing listens on'));
    const url = line.replace(/^.* on /, '');
    const port = Number(new URL(url).port);
    for (const name of ['alice', 'bob']) {
      const store = { path: join(folder, `${name}.db`), key: generateStoreKey() };
      const client = await createClient({ server: url, store });
      await client.connect();
      clients.push(client);
    }
    const [alice, bob] = clients;
    if (!alice || !bob) throw new Error('a pair');
    const pair = new HonestPair(alice, bob);
    await pair.acquaint();
    // An attack of nothing much: what is made once is made now.
    const before = await vitals(server);
    const held = directoryHash(data);
    pair.begin();
    await attack({ url, port });
    await pair.end(tally);
    const after = await vitals(server);
    const residentGrowthMiB = Math.round((after.residentBytes - before.residentBytes) / MiB);
    const measured: Measured = {
      residentGrowthMiB,
      loopDelayP999Ms: after.loopDelayP999Ms,
      honestMessages: pair.said,
    };
    if (after.pid !== before.pid) tally.found('another process');
    if (residentGrowthMiB > GROWTH_MAX_MIB) tally.found(`grew by ${residentGrowthMiB} MiB`);
    if (after.loopDelayP999Ms > LOOP_DELAY_MAX_MS) tally.found(`the loop was ${after.loopDelayP999Ms} ms late`);
    if (directoryHash(data) !== held) tally.found('the directory holds something else');
    if (server.errors !== '') tally.found(`logged: ${server.errors}`);
    return { ...tally.report(), measured };
  } catch (error) {
    tally.found(`${String(error)}\nserver: ${JSON.stringify(server.ended)} ${server.errors}`);
    return tally.report();
  } finally {
    await endProcesses();
    await Promise.all(clients.map((client) => client.close()));
    remove();
  }
}

async function vitals(server: RunningProcess): Promise<Vitals> {
  const from = server.lines.length;
  server.write('vitals');
  const lines = await server.count(from + 1);
  const { pid, residentBytes, loopDelayP999Ms } = parsed(lines[from]);
  return { pid: Number(pid), residentBytes: Number(residentBytes), loopDelayP999Ms: Number(loopDelayP999Ms) };
}

/** All that the directory holds of accounts, lists, keys and names. */
function directoryHash(data: string): string {
  const db = new BetterSqlite3(join(data, 'directory.db'), { readonly: true });
  const hash = createHash('sha256');
  for (const table of ['device_list', 'prekeys', 'one_time_key', 'username']) {
    const rows = db.prepare(`SELECT * FROM ${table}`).raw().all();
    hash.update(
      rows
        .map((row) => JSON.stringify(row))
        .sort()
        .join(),
    );
  }
  db.close();
  return hash.digest('hex');
}

/** Two clients, one of which says something to the other all the time. */
class HonestPair {
  readonly #from: Client;
  readonly #to: Client;
  readonly #sent: SentMessage[] = [];
  readonly #texts: string[] = [];
  #failed: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(from: Client, to: Client) {
    this.#from = from;
    this.#to = to;
  }

  get said(): number {
    return this.#texts.length;
  }

  async acquaint(): Promise<void> {
    await this.#say('first');
    await this.#sent[0]?.reached('delivered');
  }

  begin(): void {
    this.#timer = setInterval(() => {
      const text = `honest ${this.#texts.length}`;
      this.#last = this.#last
        .then(() => this.#say(text))
        .catch((error: unknown) => void (this.#failed ??= String(error)));
    }, HONEST_EVERY_MS);
  }

  /** Ends after one more message, and looks whether all are there. */
  async end(tally: Tally): Promise<void> {
    clearInterval(this.#timer);
    await this.#last;
    await this.#say('last');
    if (this.#failed !== undefined) tally.found(`an honest message failed: ${this.#failed}`);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => (timer = setTimeout(() => resolve('late'), HONEST_WITHIN_MS)));
    const all = Promise.all(this.#sent.map((one) => one.reached('delivered')));
    const how = await Promise.race([all.then(() => 'delivered', String), late]).finally(() => clearTimeout(timer));
    if (how !== 'delivered') tally.found(`honest messages: ${how}`);
    const conversation = await this.#to.direct(this.#from.account);
    const { items } = conversation.history({ limit: this.#texts.length + 100 }).getSnapshot();
    const shown = items.map((item) => (item.kind === 'message' ? item.text : item.kind));
    if (JSON.stringify(shown) !== JSON.stringify(this.#texts)) {
      tally.found(`of ${this.#texts.length} honest messages ${shown.length} are shown, or in another order`);
    }
  }

  async #say(text: string): Promise<void> {
    this.#texts.push(text);
    const conversation = await this.#from.direct(this.#to.account);
    this.#sent.push(await conversation.send({ text }));
  }
}
