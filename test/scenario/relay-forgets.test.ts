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
import { decodeDownBatch, encodeDownBatch, systemRuntime as serverRuntime } from '@waxwing/protocol';
import { openSqliteStorage, type Storage } from '@waxwing/storage';
import { startTestServer } from '../support/in-process-server.ts';

let folder: string;
let storage: Storage;
let server: RunningServer;
let port: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waxwing-forgets-'));
  storage = await openSqliteStorage({ directory: join(folder, 'data'), runtime: serverRuntime });
  server = await startTestServer(storage);
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
  server = await startTestServer(storage, port);
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

/** A network that can be told to lose every `Accepted`, so that submits are taken without their sender knowing. */
function losing(): { dial: Dial; lose: boolean } {
  const { dial } = systemRuntime();
  const link = {
    lose: false,
    dial: ((url, handlers) =>
      dial(url, {
        ...handlers,
        received(bytes) {
          const kept = decodeDownBatch(bytes).filter(({ type }) => !link.lose || type !== 'accepted');
          if (kept.length > 0) handlers.received(encodeDownBatch(kept));
        },
      })) satisfies Dial,
  };
  return link;
}

it('a conversation goes on when the relay lost its file while 500 messages wait and the window is full', async () => {
  const open = (name: string, dial?: Dial) =>
    createClient({
      server: server.url,
      store: { path: join(folder, `${name}.db`), key: generateStoreKey() },
      ...(dial && { runtime: { dial } }),
    });
  const link = losing();
  const [alice, bob] = [await open('alice', link.dial), await open('bob')];
  await Promise.all([alice.connect(), bob.connect()]);
  const [toBob, toAlice] = [await alice.direct(bob.account), await bob.direct(alice.account)];
  const before = ['one', 'two', 'three'];
  for (const text of before) await (await toBob.send({ text })).reached('delivered');
  await (await toAlice.send({ text: 'four' })).reached('delivered');
  const [era] = (await toAlice.coverage()).held.map((range) => range.era);

  // From here on the relay takes what Alice sends, and Bob gets it, but Alice is not told: her window fills.
  link.lose = true;
  const waiting = Array.from({ length: 500 }, (_, i) => `waiting ${i}`);
  for (const text of waiting) await toBob.send({ text });
  await shows(bob, alice, 4 + 16);
  await forget();
  link.lose = false;

  const all = [...before, 'four', ...waiting];
  const [hers, his] = [await shows(alice, bob, all.length), await shows(bob, alice, all.length)];
  expect(texts(hers)).toEqual(all);
  expect(texts(his)).toEqual(all);
  const inbox = [];
  for await (const message of bob.inbox()) {
    inbox.push(message.text);
    if (inbox.length === all.length - 1) break;
  }
  expect(inbox).toEqual([...before, ...waiting]);

  const { held, holes } = await toAlice.coverage();
  expect(holes).toEqual([]);
  expect(held.map((range) => range.era > (era ?? 0))).toEqual([false, true]);
  await (await toAlice.send({ text: 'on we go' })).reached('delivered');
  await (await toBob.send({ text: 'indeed' })).reached('delivered');
  await Promise.all([alice.close(), bob.close()]);
}, 120_000);
