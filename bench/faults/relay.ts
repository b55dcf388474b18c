import { startServer } from '@waxwing/cli';
import { limits, systemRuntime } from '@waxwing/protocol';
import { createLogger } from '@waxwing/relay';
import { openSqliteStorage, type Storage } from '@waxwing/storage';
import Database from 'better-sqlite3';
import { inputLines, say } from './lines.ts';
import type { Failpoint, RelayStart } from './orders.ts';

// A relay and keyserver like `waxwing serve`, composed anew with a clock that can be stepped, timers that can run faster,
// and points at which it kills itself as kill -9 would.

/** How long a late commit is behind what was said of it. */
const LATE_MS = 1_000;
const EARLY_MS = 120_000;

function withFailpoint({ mailboxes, ...storage }: Storage, failpoint: RelayStart['failpoint']): Storage {
  let seen = 0;
  let accepted = 0;
  const at = (here: Failpoint): void => {
    if (here !== failpoint?.at || ++seen < failpoint.occurrence) return;
    say({ said: 'failpoint', at: here });
    process.kill(process.pid, 'SIGKILL');
  };
  return {
    ...storage,
    mailboxes: {
      ...mailboxes,
      async submit(submit) {
        at('before-commit');
        const result = await mailboxes.submit(submit);
        if (result.type === 'accepted') {
          accepted += 1;
          at('committed');
        } else if (result.type === 'refused') {
          say({ said: 'refused', code: result.code });
        }
        return result;
      },
      async read(device, after, max) {
        const page = await mailboxes.read(device, after, max);
        if (page.entries.length > 0 && accepted > 0 && failpoint?.at === 'accepted') {
          // What was sent goes out at the end of a turn.
          await new Promise((resolve) => setImmediate(resolve));
          await new Promise((resolve) => setImmediate(resolve));
          at('accepted');
        }
        return page;
      },
      ack(device, committed) {
        at('delivered');
        return mailboxes.ack(device, committed);
      },
    },
  };
}

/** Every database that is opened from now on commits without waiting for the disk. */
function leaveUnsynced(): void {
  const pragma: (this: Database.Database, ...args: Parameters<Database.Database['pragma']>) => unknown = Reflect.get(
    Database.prototype,
    'pragma',
  );
  Reflect.set(Database.prototype, 'pragma', function (this: Database.Database, source: string, options?: object) {
    return pragma.call(this, source === 'synchronous = FULL' ? 'synchronous = OFF' : source, options);
  });
}

/**
 * What relay.db commits from now on is one transaction that ends a while after it began: the commits within it are
 * savepoints, whose end is answered as a commit is.
 */
function commitLate(): void {
  const exec: (this: Database.Database, source: string) => Database.Database = Reflect.get(Database.prototype, 'exec');
  const prepare: (this: Database.Database, source: string) => unknown = Reflect.get(Database.prototype, 'prepare');
  const within = { 'BEGIN IMMEDIATE': 'SAVEPOINT late', COMMIT: 'RELEASE late', ROLLBACK: 'ROLLBACK TO late' };
  const lateOf = (database: Database.Database, source: string): string | undefined =>
    database.name.endsWith('relay.db')
      ? Object.entries(within).find(([statement]) => statement === source)?.[1]
      : undefined;
  const run = (database: Database.Database, late: string): Database.Database => {
    if (!database.inTransaction) {
      exec.call(database, 'BEGIN IMMEDIATE');
      setTimeout(() => exec.call(database, 'COMMIT'), LATE_MS);
    }
    return exec.call(database, late);
  };
  Reflect.set(Database.prototype, 'exec', function (this: Database.Database, source: string) {
    const late = lateOf(this, source);
    return late === undefined ? exec.call(this, source) : run(this, late);
  });
  Reflect.set(Database.prototype, 'prepare', function (this: Database.Database, source: string) {
    const late = lateOf(this, source);
    return late === undefined ? prepare.call(this, source) : { run: () => run(this, late) };
  });
}

async function run(start: RelayStart): Promise<void> {
  let offsetMs = 0;
  /** How often the store has asked for the time. */
  let asked = 0;
  const runtime = {
    ...systemRuntime,
    clock: { now: () => systemRuntime.clock.now() + offsetMs },
    timers: {
      after: (delayMs: number, call: () => void) => systemRuntime.timers.after(delayMs / start.pace, call),
    },
  };
  if (start.unsynced) leaveUnsynced();
  if (start.late) commitLate();
  const thread = start.unsynced || start.late ? 'calling' : 'own';
  const now = (): number => {
    asked += 1;
    return runtime.clock.now();
  };
  const storage = await openSqliteStorage({
    ...{ directory: start.folder, runtime: { ...runtime, clock: { now } }, thread },
    ...(start.early && { limits: { mailboxTtlMs: limits.mailboxTtlMs - EARLY_MS } }),
  });
  const server = await startServer({
    settings: {
      ...{ host: '127.0.0.1', port: 0, origins: start.origins },
      ...{ drainSpreadMs: 0, maxConnections: start.maxConnections ?? 1_000 },
    },
    storage: withFailpoint(storage, start.failpoint),
    runtime,
    log: createLogger({ level: 'error' }),
  });
  process.stdout.write(`waxwing listens on ${server.url}\n`);
  for await (const line of inputLines(process.stdin)) {
    offsetMs += Number(line);
    say({ said: 'stepped', asked });
  }
  await server.close();
  await storage.close();
}

try {
  await run(JSON.parse(process.argv[2] ?? '') as RelayStart);
  process.exit(0);
} catch (error) {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
}
