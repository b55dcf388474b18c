import { createHash } from 'node:crypto';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { parseAccountId, systemRuntime, uuidToBytes } from '@waxwing/protocol';
import { openSqliteStorage, type Storage } from '@waxwing/storage';
import { parsed, temporaryFolder } from '../../test/support/cli.ts';
import { endProcesses, RunningProcess } from '../../test/support/processes.ts';
import type { RowOptions, Siege, Tally } from './row.ts';
import { inMiB } from './row.ts';
import type { Vitals } from './vitals.ts';

export type Besieged = {
  readonly url: string;
  readonly port: number;
  /** The server's folder, to look into. */
  readonly data: string;
  /** Tells the server process something; see there. */
  readonly tell: (line: string) => void;
};

export type SiegePlan = {
  /** Puts into the server's store what the attack needs there, before the server starts. */
  readonly prepare?: (storage: Storage) => Promise<void>;
  /** The attack writes to the directory what it may: only the pair's part is then held to be what it was. */
  readonly registers?: boolean;
  readonly attack: (target: Besieged) => Promise<void>;
};

/**
 * Runs an attack on a real server process beside an honest pair that says 50 messages a second, and measures both. What it
 * finds by itself, whatever the machine: the process is another one, it logged an error, the directory holds something
 * else, or an honest message is lost, out of order or not shown. The measurements are judged apart (see `judge`).
 */
export async function besiege(tally: Tally, { calmMs }: RowOptions, plan: SiegePlan): Promise<Siege | undefined> {
  const { path: folder, remove } = temporaryFolder('siege');
  const data = join(folder, 'server');
  try {
    if (plan.prepare) {
      const storage = await openSqliteStorage({ directory: data, runtime: systemRuntime });
      await plan.prepare(storage);
      await storage.close();
    }
    const args = ['--data', data, '--port', '0', '--admin-port', 'off', '--log-level', 'error'];
    const server = new RunningProcess('bench/hostile/server-process.ts', args);
    const ask = createAsk(server);
    const look = async (): Promise<Vitals> => (await ask('vitals')) as Vitals;
    const line = await server.line((text) => text.includes('waxwing listens on'));
    const url = line.replace(/^.* on /, '');
    const pair = new RunningProcess('bench/hostile/honest-process.ts', [url, folder]);
    const askPair = createAsk(pair);
    const { accounts } = parsed(await pair.line((text) => text.includes('accounts')));
    const held = () => directoryHash(data, plan.registers ? (accounts as string[]) : undefined);

    const heldBefore = held();
    pair.write('begin');
    await new Promise((resolve) => setTimeout(resolve, calmMs));
    const calm = (await askPair('stage')) as Stage;
    const before = await look();
    await askPair('stage');
    await plan.attack({ url, port: Number(new URL(url).port), data, tell: (text) => server.write(text) });
    const beside = (await askPair('stage')) as Stage;
    const after = await look();
    for (const wrong of (await askPair('end', 150_000)) as string[]) tally.found(wrong);
    if (after.pid !== before.pid) tally.found('another process');
    if (held() !== heldBefore) tally.found('the directory holds something else');
    if (server.errors !== '') tally.found(`logged: ${server.errors}`);
    return {
      residentGrowthMiB: inMiB(after.residentBytes - before.residentBytes),
      peakMiB: inMiB(after.peakBytes),
      loopDelayP999Ms: after.loopDelayP999Ms,
      loopDelayMaxMs: after.loopDelayMaxMs,
      honest: { messages: beside.messages, perSecond: beside.perSecond, p99Ms: beside.p99Ms, p99CalmMs: calm.p99Ms },
    };
  } catch (error) {
    tally.found(String(error));
    return undefined;
  } finally {
    await endProcesses();
    remove();
  }
}

type Stage = { readonly messages: number; readonly perSecond: number; readonly p99Ms: number };

/** Asks a process by a line, and resolves with the JSON of the next line that it prints. */
function createAsk(from: RunningProcess) {
  return async (line: string, withinMs = 30_000): Promise<unknown> => {
    const printed = from.lines.length;
    from.write(line);
    const lines = await from.count(printed + 1, withinMs);
    return JSON.parse(lines[printed] ?? '') as unknown;
  };
}

/** All that the directory holds of accounts, lists, keys and names: of these accounts, or of all. */
function directoryHash(data: string, accounts: readonly string[] | undefined): string {
  const db = new BetterSqlite3(join(data, 'directory.db'), { readonly: true });
  const keys = accounts?.map((account) => Buffer.from(uuidToBytes(parseAccountId(account))));
  const where = keys ? `WHERE account IN (${keys.map(() => '?').join()})` : '';
  const hash = createHash('sha256');
  for (const table of ['device_list', 'prekeys', 'one_time_key', 'username']) {
    const rows = db
      .prepare(`SELECT * FROM ${table} ${where}`)
      .raw()
      .all(...(keys ?? []));
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
