import { join } from 'node:path';
import { sha256, systemRuntime, parseHandle, type Handle } from '@waxwing/protocol';
import { openSqliteStorage, type Storage } from '@waxwing/storage';
import { temporaryFolder } from '../../test/support/cli.ts';
import { endProcesses } from '../../test/support/processes.ts';
import { registerAccount, type TestDevice } from '../../test/support/relay-account.ts';
import { dialLoad, type LoadDevice } from './load-device.ts';
import { openLoop, Pair, waitFor } from './pair.ts';
import { serveRelay } from './relay-process.ts';
import { createFindings, quantile, tenth, type RowReport } from './report.ts';

const KIB_PER_READER = 96;
const P99_RATIO = 1.5;
/** What a reader holds is known while nearly all of them are connected: those that were ended hold nothing. */
const CONNECTED_PART = 0.9;
/** Recipients of one filling submit, the sender's account not counted. */
const PER_SUBMIT = 500;
const DIALLING_AT_ONCE = 10;

export type StoppedReaders = {
  readonly readers: number;
  readonly pairs: number;
  readonly seconds: number;
  /** What waits for each reader. */
  readonly entries: number;
  readonly entryBytes: number;
  /** How many of the readers come back and read all that they have. */
  readonly returning: number;
  /** The first of the readers have mailboxes as full as they may be: so many of them, each with so much. */
  readonly full: { readonly readers: number; readonly entries: number; readonly entryBytes: number };
};

/** How many of the full ones come back. */
const FULL_RETURNING = 2;

/** A reader, and what waits for it. */
type Reader = { readonly device: TestDevice; readonly entries: number };

/**
 * Devices that stop reading with mail waiting for them, beside pairs that write to each other: what a stopped one costs
 * the relay, what it does to the others, and that it is ended as a slow reader without losing mail. The sockets' buffers
 * in the kernel must be small (see `inSmallBuffers`): with megabytes of them no reader ever looks slow.
 */
export async function stoppedReaders(o: StoppedReaders): Promise<RowReport> {
  const findings = createFindings();
  const { path, remove } = temporaryFolder('readers');
  const folder = join(path, 'relay');
  try {
    const { readers, people } = await prepare(folder, o);
    const relay = await serveRelay(folder);
    const pairs = await connect(relay.url, people);

    const maxPerSecond = await highestRate(pairs);
    const perSecond = Math.floor(maxPerSecond / 2);
    const rss = sampler(() => relay.rssKib());
    const slow = () => relay.metric('waxwing_relay_closes_total{code="slow_reader"}');
    const devices = () => relay.metric('waxwing_relay_devices');
    const load = { perSecond, seconds: o.seconds };
    await openLoop(pairs, { perSecond, seconds: 5 });
    rss.restart();
    const before = await openLoop(pairs, load);
    const rssBefore = rss.restart();

    const online = async () => (await devices()) + (await slow());
    const held = heldSampler(async () => ({ rssKib: relay.rssKib(), connected: (await devices()) - 2 * pairs.length }));
    const stopped: LoadDevice[] = [];
    for (let at = 0; at < readers.length; at += DIALLING_AT_ONCE) {
      const some = readers.slice(at, at + DIALLING_AT_ONCE);
      stopped.push(...some.map(({ device }) => dialLoad(relay.url, device, {}, { stops: true })));
      const due = Math.min(at + DIALLING_AT_ONCE, readers.length) + 2 * pairs.length;
      // One that was stuck for long enough while others still dial has been online as well.
      if (!(await waitFor(async () => (await online()) >= due, 5_000))) break;
    }
    const came = await online();
    findings.insist(
      came === readers.length + 2 * pairs.length,
      `${came} devices came online, the stopped ones included`,
    );
    rss.restart();
    const during = await openLoop(pairs, load);
    const rssDuring = rss.restart();
    const most = await held.stop();
    const slowEarly = await slow();
    const areEnded = await waitFor(async () => (await slow()) === readers.length, 60_000);
    findings.insist(areEnded, `${await slow()} of ${readers.length} were ended as slow readers`);
    for (const { socket } of stopped) socket.terminate();
    rss.restart();
    const after = await openLoop(pairs, load);
    rss.stop();

    const normal = quantile([...before, ...after], 0.99);
    const beside = quantile(during, 0.99);
    findings.atMost('p99 beside stopped readers over p99 without', beside / normal, P99_RATIO);
    const kibPerReader = (most.rssKib - rssBefore.median) / Math.max(1, most.connected);
    findings.insist(
      most.connected >= readers.length * CONNECTED_PART,
      `${most.connected} stopped readers were connected at once, of ${readers.length}`,
    );
    findings.atMost('KiB of RSS per stopped reader', tenth(kibPerReader), KIB_PER_READER);
    const back = [...readers.slice(0, FULL_RETURNING), ...readers.slice(o.full.readers, o.full.readers + o.returning)];
    const lost = await returning(relay.url, back);
    findings.insist(lost === 0, `${lost} entries of stopped readers were lost`);
    const rejected = pairs.flatMap(({ rejections }) => rejections);
    findings.insist(rejected.length === 0, `the pairs met ${[...new Set(rejected)].join()}`);
    findings.insist(
      pairs.every((pair) => pair.delivered === pair.sent),
      'a message between the pairs did not arrive',
    );
    for (const pair of pairs) pair.end();
    const { broken, over } = findings;
    return {
      row: 'stopped-readers',
      broken,
      over,
      figures: {
        ...o,
        maxPerSecond,
        perSecond,
        p99BeforeMs: quantile(before, 0.99),
        p99BesideMs: beside,
        p99AfterMs: quantile(after, 0.99),
        ratio: tenth(beside / normal),
        p50NormalMs: quantile([...before, ...after], 0.5),
        p50BesideMs: quantile(during, 0.5),
        rssBeforeKib: rssBefore.median,
        rssBesideKib: rssDuring.median,
        connectedAtOnce: most.connected,
        kibPerReader: tenth(kibPerReader),
        endedDuringLoad: slowEarly,
        lost,
      },
    };
  } finally {
    await endProcesses();
    remove();
  }
}

/** One pair after the other: the relay lets only so many of one address be on their way. */
async function connect(url: string, people: readonly (readonly [TestDevice, TestDevice])[]): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (const [index, [from, to]] of people.entries()) {
    const pair = new Pair(url, from, to, handleOf(`pair ${index}`));
    await pair.ready;
    pairs.push(pair);
  }
  return pairs;
}

function handleOf(name: string): Handle {
  return parseHandle(Buffer.from(sha256(name)).toString('base64url'));
}

/** Puts the devices and the mail of the readers into a store, and closes it. */
async function prepare(folder: string, o: StoppedReaders) {
  const runtime = systemRuntime;
  const storage = await openSqliteStorage({ directory: folder, runtime });
  const some = async (count: number): Promise<TestDevice[]> => {
    const accounts = await Promise.all(Array.from({ length: count }, () => registerAccount({ storage, runtime })));
    return accounts.map(({ devices: [device] }) => device);
  };
  const stopping = await some(o.readers);
  const [full, others] = [stopping.slice(0, o.full.readers), stopping.slice(o.full.readers)];
  const [froms, tos] = [await some(o.pairs), await some(o.pairs)];
  const people = froms.flatMap((from, index) => {
    const to = tos[index];
    return to ? [[from, to] as const] : [];
  });
  const readers = [
    ...(await fillAll(storage, await some(SENDERS), full, o.full)),
    ...(await fillAll(storage, await some(SENDERS), others, o)),
  ];
  await storage.close();
  return { readers, people };
}

/** One sender may fill a quarter of a mailbox at most. */
const SENDERS = 5;

/** Puts so much into each of these mailboxes, and looks whether it is there. */
async function fillAll(
  storage: Storage,
  senders: readonly TestDevice[],
  to: readonly TestDevice[],
  o: { readonly entries: number; readonly entryBytes: number },
): Promise<Reader[]> {
  const filling: Promise<void>[] = [];
  for (let at = 0; at < to.length; at += PER_SUBMIT) {
    for (const [index, sender] of senders.entries()) {
      const filled = fill(storage, sender, handleOf(`fill ${sender.account} ${at}`), to.slice(at, at + PER_SUBMIT), {
        entries: Math.floor((o.entries + index) / senders.length),
        entryBytes: o.entryBytes,
      });
      filling.push(filled);
    }
  }
  await Promise.all(filling);
  const isFilled = async (device: TestDevice): Promise<boolean> => {
    await storage.mailboxes.open(device.key);
    const page = await storage.mailboxes.read(device.key, o.entries - 1, { entries: 1, bytes: 1e6 });
    return page.entries.length === 1;
  };
  for (const device of to) {
    if (!(await waitFor(() => isFilled(device), 60_000))) throw new Error('a mailbox was not filled');
  }
  return to.map((device) => ({ device, entries: o.entries }));
}

async function fill(
  storage: Storage,
  sender: TestDevice,
  handle: Handle,
  to: readonly TestDevice[],
  o: { readonly entries: number; readonly entryBytes: number },
): Promise<void> {
  const recipients = [
    { account: sender.account, listVersion: 1, devices: [] },
    ...to.map(({ account, device, registrationId }) => ({
      account,
      listVersion: 1,
      devices: [{ device, registrationId, kind: 'sender_key' as const }],
    })),
  ];
  const common = { sender: sender.key, handle, attempt: 1, change: false, visible: true, urgent: false, recipients };
  for (let n = 1; n <= o.entries; n += 1) {
    const sharedCiphertext = Buffer.alloc(o.entryBytes, n);
    const digest = sha256(`${handle} ${n}`);
    const result = await storage.mailboxes.submit({ ...common, n, oldest: n, digest, sharedCiphertext });
    if (result.type !== 'accepted') throw new Error(JSON.stringify(result));
  }
}

/** Messages a second that the pairs get through when each always has some in flight. */
async function highestRate(pairs: readonly Pair[]): Promise<number> {
  const accepted = (): number => pairs.reduce((sum, pair) => sum + pair.accepted, 0);
  for (const pair of pairs) pair.closedLoop(true);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const [began, from] = [performance.now(), accepted()];
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  const perSecond = Math.round(((accepted() - from) * 1_000) / (performance.now() - began));
  for (const pair of pairs) pair.closedLoop(false);
  await waitFor(() => pairs.every((pair) => pair.isIdle), 30_000);
  return perSecond;
}

function sampler(read: () => number) {
  let samples: number[] = [];
  const timer = setInterval(() => samples.push(read()), 250);
  return {
    /** The samples since the last call. */
    restart() {
      const seen = samples;
      samples = [];
      return { median: quantile(seen, 0.5), max: quantile(seen, 1) };
    },
    stop: () => clearInterval(timer),
  };
}

/** What the process holds and how many stopped readers it holds it for: the median while nearly all are connected. */
function heldSampler(read: () => Promise<{ readonly rssKib: number; readonly connected: number }>) {
  const samples: { readonly rssKib: number; readonly connected: number }[] = [];
  const state = { isOn: true };
  const sampling = (async () => {
    while (state.isOn) {
      samples.push(await read());
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  })();
  return {
    async stop() {
      state.isOn = false;
      await sampling;
      const connected = Math.max(0, ...samples.map((sample) => sample.connected));
      const most = samples.filter((sample) => sample.connected === connected);
      return {
        connected,
        rssKib: quantile(
          most.map(({ rssKib }) => rssKib),
          0.5,
        ),
      };
    },
  };
}

/** The devices come back and read their mailboxes: how many entries they miss. */
async function returning(url: string, readers: readonly Reader[]): Promise<number> {
  let missing = 0;
  for (const { device: as, entries } of readers) {
    const numbers = new Set<number>();
    let device: LoadDevice | undefined;
    await new Promise<void>((resolve) => {
      device = dialLoad(url, as, { delivered: (_, number) => numbers.add(number), drained: resolve });
      device.socket.on('close', () => resolve());
    });
    device?.socket.terminate();
    for (let number = 1; number <= entries; number += 1) if (!numbers.has(number)) missing += 1;
  }
  return missing;
}
