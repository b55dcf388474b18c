import { decodeDownBatch, decodeUpBatch, type Down, type Up } from '@waxwing/protocol';
import { createClient, openClient, systemRuntime, type Client, type Crypto, type Dial } from '@waxwing/client-core';
import { existsSync, readFileSync } from 'node:fs';
import { Database } from '@signalapp/sqlcipher';

// A client in a process of its own that kills itself, as kill -9 would, the k-th time that it comes to a step. The
// steps are the seams of its runtime: what goes to the network, what comes from it, and each call of the crypto.

const steps = ['receive', 'decrypt', 'decrypted', 'ack', 'framed', 'submit', 'submitted', 'accepted'] as const;
type Step = (typeof steps)[number];
export const stepNames: readonly string[] = steps;

/** How long a late commit is behind what was said of it. */
const LATE_MS = 1_000;
/** How long it waits for its messages to be sent, and then for the one it expects: of a late client not everything comes. */
const PATIENCE_MS = 20_000;
const LATE_PATIENCE_MS = 4_000;

/** What the process is told, as one JSON argument. `texts`: messages to send, by their ids, to `peer`. */
export type StepOrder = {
  readonly server: string;
  readonly path: string;
  readonly keyFile: string;
  readonly step: string | null;
  readonly occurrence: number;
  readonly peer: string | null;
  readonly texts: readonly { readonly id: string; readonly text: string }[];
  /** End once connected, with everything sent, and this message of the peer in the history; then tell the whole of it. */
  readonly expect: string;
  /** A client that says what it has not committed yet: what a kill then loses was acked, or sent. */
  readonly late?: true;
};

/** What it prints when it comes to its end. */
export type StepReport = { readonly account: string; readonly history: readonly string[]; readonly state: string };

function failpoint(step: string | null, occurrence: number): (here: Step) => void {
  let seen = 0;
  return (here) => {
    if (here === step && ++seen === occurrence) process.kill(process.pid, 'SIGKILL');
  };
}

function stepCrypto(at: (step: Step) => void): Crypto {
  const { crypto } = systemRuntime();
  return {
    ...crypto,
    async decrypt(...args) {
      at('decrypt');
      const result = await crypto.decrypt(...args);
      at('decrypted');
      return result;
    },
    async encrypt(...args) {
      const result = await crypto.encrypt(...args);
      at('framed');
      return result;
    },
  };
}

function stepDial(at: (step: Step) => void): Dial {
  const { dial } = systemRuntime();
  const before = new Map<Up['type'], Step>([
    ['ack', 'ack'],
    ['submit', 'submit'],
  ]);
  const after = new Map<Up['type'], Step>([['submit', 'submitted']]);
  const came = new Map<Down['type'], Step>([
    ['deliver', 'receive'],
    ['accepted', 'accepted'],
  ]);
  return (url, handlers) => {
    const channel = dial(url, {
      ...handlers,
      received(bytes) {
        for (const { type } of decodeDownBatch(bytes)) hit(came.get(type));
        handlers.received(bytes);
      },
    });
    function hit(step: Step | undefined): void {
      if (step) at(step);
    }
    return {
      send(bytes) {
        const kinds = decodeUpBatch(bytes).map(({ type }) => type);
        for (const type of kinds) hit(before.get(type));
        channel.send(bytes);
        for (const type of kinds) hit(after.get(type));
      },
      get bufferedBytes() {
        return channel.bufferedBytes;
      },
      close: () => channel.close(),
    };
  };
}

/**
 * Once what it answers was called, what is committed is one transaction that ends a while after it began, or when the file
 * is closed: the commits within it are savepoints, whose end is answered as a commit is. To be called before a file is
 * opened, which keeps its statements.
 */
function commitLate(): () => void {
  type Statement = ReturnType<Database['prepare']>;
  const prepare: (this: Database, sql: string, ...options: unknown[]) => Statement = Reflect.get(
    Database.prototype,
    'prepare',
  );
  const close: (this: Database) => void = Reflect.get(Database.prototype, 'close');
  const within = new Map([
    ['BEGIN IMMEDIATE', 'SAVEPOINT late'],
    ['COMMIT', 'RELEASE late'],
    // Not to be set within a transaction.
    ['PRAGMA synchronous = NORMAL', 'SELECT 1'],
    ['PRAGMA synchronous = FULL', 'SELECT 1'],
  ]);
  const open = new Map<Database, NodeJS.Timeout>();
  let isLate = false;
  const end = (database: Database): void => {
    clearTimeout(open.get(database));
    if (open.delete(database)) database.exec('COMMIT');
  };
  const begin = (database: Database): void => {
    if (open.has(database)) return;
    database.exec('BEGIN IMMEDIATE');
    open.set(
      database,
      setTimeout(() => end(database), LATE_MS),
    );
  };
  Reflect.set(Database.prototype, 'prepare', function (this: Database, sql: string, ...options: unknown[]) {
    const instead = within.get(sql);
    const usual = prepare.call(this, isLate ? (instead ?? sql) : sql, ...options);
    if (instead === undefined) return usual;
    const late = prepare.call(this, instead);
    const run = usual.run.bind(usual);
    usual.run = (...values) => {
      if (!isLate) return run(...values);
      if (sql === 'BEGIN IMMEDIATE') begin(this);
      if (instead !== 'SELECT 1') return late.run();
      return { changes: 0, lastInsertRowid: 0 };
    };
    return usual;
  });
  Database.prototype.close = function (this: Database) {
    end(this);
    close.call(this);
  };
  return () => (isLate = true);
}

async function run(order: StepOrder): Promise<StepReport> {
  const at = failpoint(order.step, order.occurrence);
  const beLate = order.late ? commitLate() : undefined;
  const runtime = { crypto: stepCrypto(at), dial: stepDial(at) };
  const store = { path: order.path, key: readFileSync(order.keyFile) };
  const client: Client = existsSync(order.path)
    ? await openClient({ store, runtime })
    : await createClient({ server: order.server, store, runtime });
  if (order.peer === null) {
    await client.close();
    return { account: client.account, history: [], state: 'created' };
  }
  await client.connect();
  // Not before: a device whose generation was undone is told that it is cloned.
  beLate?.();
  const conversation = await client.direct(order.peer);
  const sent = [];
  for (const { id, text } of order.texts) sent.push(await conversation.send({ text }, { id }));
  const patienceMs = order.late ? LATE_PATIENCE_MS : PATIENCE_MS;
  // What fails or does not come is missing in a history: the proof counts it.
  await atMost(patienceMs, Promise.allSettled(sent.map((message) => message.reached('sent'))));
  const newest = conversation.history({ limit: 200 });
  const came = new Promise<void>((resolve) => {
    const look = () => {
      const isThere = newest.getSnapshot().items.some((item) => item.kind === 'message' && item.text === order.expect);
      if (!isThere) return;
      unsubscribe();
      resolve();
    };
    const unsubscribe = newest.subscribe(look);
    look();
  });
  await atMost(patienceMs, came);
  const history = conversation.history({ limit: 1_000_000 }).getSnapshot().items;
  const texts = history.map((item) =>
    item.kind === 'message' ? (item.text ?? '') : `(${item.kind === 'hole' ? item.reason : item.what})`,
  );
  const { state } = client.connection.getSnapshot();
  await client.close();
  return { account: client.account, history: texts, state };
}

async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}

function isOrder(value: unknown): value is StepOrder {
  return typeof value === 'object' && value !== null && 'server' in value && 'texts' in value;
}

const [, script, argument] = process.argv;
if (argument !== undefined && import.meta.filename === script) {
  const order: unknown = JSON.parse(argument);
  if (!isOrder(order)) throw new TypeError('not an order');
  process.stdout.write(`${JSON.stringify(await run(order))}\n`);
}
