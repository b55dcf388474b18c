import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startServer } from '@waxwing/cli';
import {
  createClient,
  generateStoreKey,
  systemRuntime,
  type Crypto,
  type Dial,
  type Runtime,
} from '@waxwing/client-core';
import { systemRuntime as serverRuntime } from '@waxwing/protocol';
import { createLogger } from '@waxwing/relay';
import { openSqliteStorage } from '@waxwing/storage';
import { findCanaries } from '../support/canaries.ts';

const texts = [
  'canary-kingfisher flies at dawn',
  'Канарейка-зимородок 9f3',
  'قناري-الرفراف 77',
  '金絲雀翠鳥・カナリア',
];
const usernames = ['canary_alice.4711', 'canary_bob.4712'];

/** A conversation over a real server; answers every byte that the server stored, logged, counted or said, by its place. */
async function everyByte(crypto: Crypto, delivered: boolean): Promise<Map<string, Buffer>> {
  const folder = mkdtempSync(join(tmpdir(), 'waxwing-privacy-'));
  const said: Uint8Array[] = [];
  const lines: string[] = [];
  const log = createLogger({ level: 'trace', destination: { write: (line) => lines.push(line) } });
  const data = join(folder, 'data');
  const storage = await openSqliteStorage({ directory: data, runtime: serverRuntime });
  const settings = {
    host: '127.0.0.1',
    port: 0,
    admin: { host: '127.0.0.1', port: 0 },
    drainSpreadMs: 0,
    maxConnections: 100,
  };
  const server = await startServer({ settings, storage, runtime: serverRuntime, log });
  const runtime: Partial<Runtime> = { ...listening(said), crypto };
  const open = (name: string, username: string) =>
    createClient({
      server: server.url,
      store: { path: join(folder, name), key: generateStoreKey() },
      username,
      runtime,
    });
  const [alice, bob] = await Promise.all([open('alice.db', usernames[0] ?? ''), open('bob.db', usernames[1] ?? '')]);
  await Promise.all([alice.connect(), bob.connect()]);
  const [toBob, toAlice] = [await alice.direct(usernames[1] ?? ''), await bob.direct(usernames[0] ?? '')];
  const sent = [];
  for (const text of texts) sent.push(await toBob.send({ text }), await toAlice.send({ text }));
  await Promise.all(sent.map((message) => message.reached(delivered ? 'delivered' : 'sent')));
  const metrics = await (await fetch(`${server.adminUrl ?? ''}/metrics`)).text();
  const openapi = await (await fetch(`${server.url}/openapi.json`)).text();
  // Read while the server runs: what lies in the write-ahead log counts too.
  const files = readdirSync(data).map((name): [string, Buffer] => [name, readFileSync(join(data, name))]);
  await Promise.all([alice.close(), bob.close()]);
  await server.close();
  await storage.close();
  const after = readdirSync(data).map((name): [string, Buffer] => [`${name} after`, readFileSync(join(data, name))]);
  rmSync(folder, { recursive: true });
  return new Map([
    ...files,
    ...after,
    ['logs', Buffer.from(lines.join('\n'))],
    ['metrics', Buffer.from(metrics)],
    ['openapi', Buffer.from(openapi)],
    ['answers and deliveries', Buffer.concat(said)],
  ]);
}

/** A network that notes what the server says. */
function listening(said: Uint8Array[]): Pick<Runtime, 'dial' | 'http'> {
  const { dial, http } = systemRuntime();
  const noting: Dial = (url, handlers) =>
    dial(url, {
      ...handlers,
      received(bytes) {
        said.push(bytes);
        handlers.received(bytes);
      },
    });
  return {
    dial: noting,
    async http(request) {
      const answer = await http(request);
      said.push(answer.body);
      return answer;
    },
  };
}

it('no text and no name lies in any byte that the server stores, logs, counts or says', async () => {
  const places = await everyByte(systemRuntime().crypto, true);
  expect(places.get('logs')?.length).toBeGreaterThan(0);
  expect(places.get('metrics')?.toString()).toContain('waxwing_relay_');
  expect(findCanaries([...texts, ...usernames], places)).toEqual([]);
}, 60_000);

it('the search finds a text whose encryption is turned off, wherever the relay keeps it', async () => {
  const { crypto } = systemRuntime();
  const leaky: Crypto = {
    ...crypto,
    async encrypt(local, view, peer, plaintext, nowMs) {
      const made = await crypto.encrypt(local, view, peer, plaintext, nowMs);
      return made.type === 'encrypted' ? { ...made, ciphertext: plaintext } : made;
    },
  };
  const found = findCanaries(texts, await everyByte(leaky, false));
  for (const text of texts) expect(found).toContain(`${text} as utf-8 in answers and deliveries`);
  expect(found.some((where) => where.includes('relay.db'))).toBe(true);
}, 60_000);

it('the search finds a text in every form', () => {
  const text = texts[0] ?? '';
  const digest = Buffer.from(text);
  const hidden = ['base64', 'base64url', 'hex', 'utf16le'] as const;
  for (const form of hidden) {
    const bytes = form === 'utf16le' ? Buffer.from(text, form) : Buffer.from(digest.toString(form));
    expect(
      findCanaries([text], new Map([['here', Buffer.concat([Buffer.from('xy'), bytes, Buffer.from('z')])]])),
    ).not.toEqual([]);
  }
  for (const shift of [0, 1, 2, 3]) {
    const inside = Buffer.concat([Buffer.alloc(shift, 'q'), digest, Buffer.from('tail')]).toString('base64');
    expect(findCanaries([text], new Map([['here', Buffer.from(inside)]])), `${shift}`).not.toEqual([]);
  }
});
