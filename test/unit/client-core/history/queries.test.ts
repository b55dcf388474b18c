import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  frameKinds,
  parseAccountId,
  parseDeviceId,
  parseEra,
  parseHandle,
  parseMessageId,
  sha256,
} from '@waxwing/protocol';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Db } from '../../../../client-core/src/history/database.ts';
import { lastKey, rowIdOf } from '../../../../client-core/src/history/order-key.ts';
import { openStore, type Store } from '../../../../client-core/src/history/store.ts';
import { Placing } from '../../../../client-core/src/sync/placing.ts';
import { dueRead } from '../../../../client-core/src/sync/watermarks.ts';

const key = new Uint8Array(32).fill(1);
const account = parseAccountId('00000000-0000-4000-8000-000000000001');
/** Tables that grow with the history: nothing that is done for one message may read one of them whole. */
const growing = ['message', 'frame', 'place', 'crypto', 'held', 'party', 'search', 'receipt', 'reported', 'read_mark'];

let store: Store;
let path: string;
let spies: readonly { readonly mock: { readonly calls: readonly (readonly [sql: string, ...unknown[]])[] } }[];

beforeEach(() => {
  spies = [vi.spyOn(Db.prototype, 'get'), vi.spyOn(Db.prototype, 'all'), vi.spyOn(Db.prototype, 'run')];
  path = join(mkdtempSync(join(tmpdir(), 'waxwing-queries-')), 'device.db');
  store = openStore(path, key, { create: true });
});
/** Every statement that was asked. */
const statements = (): string[] => spies.flatMap(({ mock }) => mock.calls.map(([sql]) => sql));

afterEach(() => {
  vi.restoreAllMocks();
  store.close();
});

/** Statements of these and of those that were asked that read a growing table without an index. */
function scans(more: readonly string[] = []): string[] {
  const asked = new Set([...statements(), ...more]);
  store.close();
  vi.restoreAllMocks();
  const db = Db.open(path, key, { create: false });
  const found: string[] = [];
  for (const sql of asked) {
    if (!/^\s*(SELECT|INSERT|UPDATE|DELETE)/.test(sql)) continue;
    const steps = db.all(`EXPLAIN QUERY PLAN ${sql}`, ...Array.from({ length: sql.split('?').length - 1 }, () => 1));
    for (const { detail } of steps) {
      const [, table] = /^(?:SCAN|SEARCH) (\w+)$/.exec(String(detail)) ?? [];
      if (table !== undefined && growing.includes(table))
        found.push(`${String(detail)}: ${sql.replaceAll(/\s+/g, ' ')}`);
    }
  }
  db.close();
  store = openStore(path, key, { create: false });
  return found;
}

test('nothing that is asked for a message that comes, is read or is paged reads a growing table whole', () => {
  const { conversation, epoch, party } = store.transaction(() => {
    const { id } = store.conversations.ensureDirect(account, 0);
    const handle = parseHandle(Buffer.alloc(32, 1).toString('base64url'));
    const made = store.conversations.ensureEpoch(id, 2, handle).id;
    const sender = store.parties.ensure({ account, device: parseDeviceId(1) }, 1);
    store.receipts.follow(made, sender);
    return { conversation: id, epoch: made, party: sender };
  });
  for (const [n, number] of [
    [1, 1],
    [3, 3],
    [2, 2],
    [9, 4],
  ] as const) {
    store.transaction(() => {
      const placing = new Placing(store, 1);
      const sequence = { era: parseEra(1), number };
      const messageId = parseMessageId(`01890000-0000-7000-8000-00000000000${n}`);
      const met = { sequence };
      const common = { epoch, party, n };
      placing.place({
        ...common,
        hash: sha256(String(n)),
        ciphertextHash: sha256(`c${n}`),
        met,
        message: {
          ...common,
          conversation,
          messageId,
          own: false,
          sequence,
          kind: frameKinds.content,
          text: 'text',
          replyTo: null,
          serverTimeMs: 1,
          sentAtMs: 1,
        },
      });
      placing.hole(epoch, { sequence: { era: parseEra(1), number: 7 } }, 'undecryptable');
      placing.finish();
      store.held.keep({ account, device: parseDeviceId(1) }, 'undecryptable', sha256(String(n)), sha256('e'), 1);
      store.crypto.write([{ kind: 'session', key: String(n), bytes: sha256('s') }]);
      store.receipts.setReceived(epoch, account, 'delivered', { n, except: [] });
    });
  }
  store.held.has({ account, device: parseDeviceId(1) }, sha256('1'));
  store.held.of(account);
  store.messages.inboxAfter(0, 10);
  store.messages.pageBefore(conversation, undefined, 10);
  store.messages.pageAfter(conversation, { ms: 0, tie: 0 }, 10);
  const row = store.messages.rowIds(conversation, 'older', rowIdOf(lastKey), 10).at(0) ?? '';
  store.messages.rowIds(conversation, 'newer', row, 10);
  store.messages.between(conversation, row, row);
  store.conversations.newest(10);
  store.search.find('"text"', undefined, 10);
  store.parties.ofAccount(account);
  store.messages.byId(parseMessageId('01890000-0000-7000-8000-000000000001'));
  store.receipts.received(epoch, account, 'delivered');
  store.messages.byId(parseMessageId('01890000-0000-7000-8000-000000000001'), conversation);
  store.transaction(() => store.readMarks.mark(conversation, { ms: 1, tie: 0 }, 2));
  store.transaction(() => dueRead(store).forEach(({ told }) => told()));
  store.readMarks.unread(conversation);
  store.frames.head(epoch, party);
  store.frames.missingN(epoch, party, { from: 1, to: 9 });
  store.frames.seenEntries(epoch, parseEra(1), 1, 4);
  expect(new Set(statements()).size).toBeGreaterThan(40);
  expect(scans()).toEqual([]);
});

test('the check itself sees a statement that reads a growing table whole', () => {
  const found = scans([
    'SELECT max(inbox) AS last FROM message',
    'SELECT n FROM frame WHERE hash = ?',
    'SELECT era FROM era WHERE epoch = ?',
  ]);
  expect(found).toHaveLength(2);
});
