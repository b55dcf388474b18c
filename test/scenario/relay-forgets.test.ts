import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { RunningServer } from '@waxwing/cli';
import {
  createClient,
  generateStoreKey,
  systemRuntime,
  type Client,
  type Dial,
  type HistoryItem,
} from '@waxwing/client-core';
import {
  decodeDownBatch,
  encodeDownBatch,
  limits,
  systemRuntime as serverRuntime,
  type Position,
} from '@waxwing/protocol';
import { openSqliteStorage, type DeviceKey, type OpenMailbox, type Storage } from '@waxwing/storage';
import { startTestServer } from '../support/in-process-server.ts';

let folder: string;
let storage: Storage;
let server: RunningServer;
let port: number;

/** What a device said of its mailbox when it connected and what it was told, and what stood there before and after. */
type Opening = {
  readonly device: DeviceKey;
  readonly committed: Position | undefined;
  readonly told: OpenMailbox;
  readonly before: readonly number[];
  readonly after: readonly number[];
};
let openings: Opening[];
/** How many messages the relay that runs has given a number. */
let numbered: number;

async function numbersIn(device: DeviceKey): Promise<readonly number[]> {
  const { entries } = await storage.mailboxes.read(device, 0, { entries: 100_000, bytes: Number.MAX_SAFE_INTEGER });
  return entries.map(({ number }) => number);
}

/** The storage, with what it numbers counted, and each opening of a mailbox written down. */
function watched(): Storage {
  const { mailboxes } = storage;
  numbered = 0;
  return {
    ...storage,
    mailboxes: {
      ...mailboxes,
      async open(device, committed) {
        const before = await numbersIn(device);
        const told = await mailboxes.open(device, committed);
        openings.push({ device, committed, told, before, after: await numbersIn(device) });
        return told;
      },
      async submit(asked) {
        const result = await mailboxes.submit(asked);
        if (result.type === 'accepted' && !result.duplicate) numbered += 1;
        return result;
      },
    },
  };
}

function lastOpening({ account }: Client): Opening {
  const opening = openings.findLast(({ device }) => device.account === account);
  if (opening === undefined) throw new Error('it has not connected');
  return opening;
}

beforeEach(async () => {
  openings = [];
  folder = mkdtempSync(join(tmpdir(), 'waxwing-forgets-'));
  storage = await openSqliteStorage({ directory: join(folder, 'data'), runtime: serverRuntime });
  server = await startTestServer(watched());
  port = Number(new URL(server.url).port);
});

afterEach(async () => {
  await server.close();
  await storage.close();
  rmSync(folder, { recursive: true });
});

/** The relay stops, loses its counters and mailboxes, and comes back; accounts and lists stay. */
async function forget(): Promise<void> {
  await server.close();
  await storage.close();
  const data = join(folder, 'data');
  for (const name of readdirSync(data)) if (name.startsWith('relay.db')) rmSync(join(data, name));
  storage = await openSqliteStorage({ directory: data, runtime: serverRuntime });
  server = await startTestServer(watched(), port);
}

function texts(items: readonly HistoryItem[]): string[] {
  return items.map((item) =>
    item.kind === 'message' ? (item.text ?? '') : `(${item.kind === 'hole' ? item.reason : item.what})`,
  );
}

async function shows(client: Client, peer: Client, count: number): Promise<readonly HistoryItem[]> {
  const history = (await client.direct(peer.account)).history({ limit: 100_000 });
  const sent = () => history.getSnapshot().items.filter((item) => item.kind === 'message' && item.sequence !== null);
  await new Promise<void>((resolve) => {
    const look = () => {
      if (sent().length < count) return;
      unsubscribe();
      resolve();
    };
    const unsubscribe = history.subscribe(look);
    look();
  });
  return history.getSnapshot().items;
}

const NOBODY = 'ws://127.0.0.1:9/v1/relay';

/**
 * A network that can be told to lose every `Accepted`, so that submits are taken without their sender knowing, or to reach
 * nobody.
 */
function network(): { dial: Dial; losesAnswers: boolean; isGone: boolean } {
  const { dial } = systemRuntime();
  const faults = { losesAnswers: false, isGone: false };
  const faulty: Dial = (url, handlers) =>
    dial(faults.isGone ? NOBODY : url, {
      ...handlers,
      received(bytes) {
        const kept = decodeDownBatch(bytes).filter(({ type }) => !faults.losesAnswers || type !== 'accepted');
        if (kept.length > 0) handlers.received(encodeDownBatch(kept));
      },
    });
  return Object.assign(faults, { dial: faulty });
}

/** The first messages of an inbox. */
async function received(client: Client, count: number): Promise<readonly (string | undefined)[]> {
  const texts = [];
  for await (const message of client.inbox()) {
    texts.push(message.text);
    if (texts.length === count) break;
  }
  return texts;
}

async function open(name: string, { dial }: { readonly dial: Dial }): Promise<Client> {
  const store = { path: join(folder, `${name}.db`), key: generateStoreKey() };
  return createClient({ server: server.url, store, runtime: { dial } });
}

it('a conversation goes on, without a hole, when the relay lost its file while the messages of one side wait', async () => {
  const hers = network();
  const [alice, bob] = [await open('alice', hers), await open('bob', network())];
  await Promise.all([alice.connect(), bob.connect()]);
  const [toBob, toAlice] = [await alice.direct(bob.account), await bob.direct(alice.account)];
  await (await toBob.send({ text: 'one' })).reached('delivered');
  await (await toAlice.send({ text: 'two' })).reached('delivered');
  const [era = 0] = (await toAlice.coverage()).held.map((range) => range.era);

  // From here on the relay takes what Alice sends, and Bob gets it, but Alice is not told: her window fills.
  hers.losesAnswers = true;
  const waiting = Array.from({ length: 40 }, (_, i) => `waiting ${i}`);
  for (const text of waiting) await toBob.send({ text });
  await shows(bob, alice, 2 + limits.windowPerHandle);
  await forget();
  hers.losesAnswers = false;

  const all = ['one', 'two', ...waiting];
  expect(texts(await shows(alice, bob, all.length))).toEqual(all);
  expect(texts(await shows(bob, alice, all.length))).toEqual(all);
  expect(await received(bob, all.length - 1)).toEqual(['one', ...waiting]);
  const { held, holes } = await toAlice.coverage();
  expect(holes).toEqual([]);
  expect(held.map((range) => range.era > era)).toEqual([false, true]);
  await (await toAlice.send({ text: 'on we go' })).reached('delivered');
  await (await toBob.send({ text: 'indeed' })).reached('delivered');
  await Promise.all([alice.close(), bob.close()]);
}, 120_000);

it('a conversation goes on when the relay lost its file while 500 messages wait and both windows are full', async () => {
  const [hers, his] = [network(), network()];
  const [alice, bob] = [await open('alice', hers), await open('bob', his)];
  await Promise.all([alice.connect(), bob.connect()]);
  const [toBob, toAlice] = [await alice.direct(bob.account), await bob.direct(alice.account)];
  const begun = ['one', 'two', 'three'];
  for (const text of begun) await (await toBob.send({ text })).reached('delivered');
  await (await toAlice.send({ text: 'four' })).reached('delivered');
  const [era = 0] = (await toAlice.coverage()).held.map((range) => range.era);

  // From here on the relay takes what each sends, and the other gets it, but neither is told: both windows fill.
  hers.losesAnswers = his.losesAnswers = true;
  const lines = (name: string) => Array.from({ length: 250 }, (_, i) => `${name} ${i}`);
  const [fromAlice, fromBob] = [lines('alice'), lines('bob')];
  const sent = [];
  for (const text of fromAlice) sent.push(await toBob.send({ text }));
  for (const text of fromBob) await toAlice.send({ text });
  await expect.poll(() => numbered, { timeout: 30_000 }).toBe(4 + 2 * limits.windowPerHandle);
  const { device, told: old } = lastOpening(bob);
  his.isGone = true;
  await forget();
  hers.losesAnswers = his.losesAnswers = false;

  // Alice's messages are in a new mailbox before Bob is back, who knows positions of the old one only.
  await Promise.all(sent.map((message) => message.reached('sent')));
  const waiting = await numbersIn(device);
  expect(waiting.length).toBeGreaterThanOrEqual(fromAlice.length);
  const stale = { incarnation: old.incarnation, number: waiting.length };
  expect(await storage.mailboxes.ack(device, stale)).toMatchObject({ type: 'restarted' });
  expect(await numbersIn(device)).toEqual(waiting);
  const count = openings.length;
  his.isGone = false;

  const all = [...begun, 'four', ...fromAlice, ...fromBob];
  const messages = async (of: Client, peer: Client) =>
    (await shows(of, peer, all.length)).flatMap((item) => (item.kind === 'message' ? [item.text ?? ''] : []));
  const [hersShown, hisShown] = await Promise.all([messages(alice, bob), messages(bob, alice)]);
  const back = openings.slice(count).find((opening) => opening.device.account === bob.account);
  expect(back?.committed?.incarnation).toBe(old.incarnation);
  expect(back?.committed?.number).toBeGreaterThan(0);
  expect(back?.told).toMatchObject({ restarted: true, after: 0 });
  expect(back?.before).toEqual(expect.arrayContaining([...waiting]));
  expect(back?.after).toEqual(back?.before);

  expect(hisShown).toEqual(hersShown);
  expect(hersShown.toSorted()).toEqual(all.toSorted());
  expect(await received(bob, begun.length + fromAlice.length)).toEqual([...begun, ...fromAlice]);
  expect(await received(alice, 1 + fromBob.length)).toEqual(['four', ...fromBob]);

  // In the later era everything is held, and what the full windows had been given in the one before is found again.
  for (const conversation of [toBob, toAlice]) {
    await expect.poll(async () => (await conversation.coverage()).holes, { timeout: 60_000 }).toEqual([]);
    const later = (await conversation.coverage()).held.filter((range) => range.era > era);
    expect(later.map(({ from, to }) => [from, to])).toEqual([[1, fromAlice.length + fromBob.length]]);
  }
  await (await toAlice.send({ text: 'on we go' })).reached('delivered');
  await (await toBob.send({ text: 'indeed' })).reached('delivered');
  await Promise.all([alice.close(), bob.close()]);
}, 120_000);
