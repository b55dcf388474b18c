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
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ChangeBus } from '../../../client-core/src/bus.ts';
import { directId } from '../../../client-core/src/conversation-id.ts';
import { createConversationsQuery } from '../../../client-core/src/conversations-query.ts';
import { createHistoryQuery, type HistoryOptions } from '../../../client-core/src/history-query.ts';
import { openStore, type Store } from '../../../client-core/src/history/store.ts';
import { Placing } from '../../../client-core/src/sync/placing.ts';
import { gaps } from '../../../client-core/src/sync/sequencer.ts';

let store: Store;
let bus: ChangeBus;
let begun = 0;

beforeEach(() => {
  const path = join(mkdtempSync(join(tmpdir(), 'waxwing-window-')), 'device.db');
  store = openStore(path, new Uint8Array(32).fill(1), { create: true });
  bus = new ChangeBus();
});
afterEach(() => {
  vi.restoreAllMocks();
  store.close();
});

const own = {
  account: parseAccountId('00000000-0000-4000-8001-000000000000'),
  device: parseDeviceId(1),
};

/** A conversation with nothing in it, how frames are put into it, and its queries. */
function begin() {
  begun += 1;
  const peer = parseAccountId(`00000000-0000-4000-8000-${String(begun).padStart(12, '0')}`);
  const { conversation, epoch, parties } = store.transaction(() => {
    const { id } = store.conversations.ensureDirect(peer, 0);
    const handle = parseHandle(Buffer.from(sha256(peer)).toString('base64url'));
    return {
      conversation: id,
      epoch: store.conversations.ensureEpoch(id, 2, handle).id,
      parties: [peer, own.account].map((account) => store.parties.ensure({ account, device: own.device }, 1)),
    };
  });
  const tell = () => bus.tell({ conversations: new Set([conversation]), inbox: false });
  return {
    epoch,
    change(work: (placing: Placing) => void): void {
      store.transaction(() => {
        const placing = new Placing(store, 1_000);
        work(placing);
        placing.finish();
      });
      tell();
    },
    receive(n: number): void {
      store.transaction(() => store.receipts.setReceived(epoch, peer, 'delivered', { n, except: [] }));
      tell();
    },
    put(placing: Placing, o: { n: number; number: number; era?: number; isOwn?: boolean; timeMs?: number }): void {
      const party = parties[o.isOwn ? 1 : 0] ?? 0;
      const sequence = { era: parseEra(o.era ?? 1), number: o.number };
      const hash = sha256(`${party}/${o.n}`);
      const message = {
        conversation,
        messageId: parseMessageId(`01890000-0000-7000-8000-${(party * 10_000 + o.n).toString(16).padStart(12, '0')}`),
        party,
        own: o.isOwn ?? false,
        epoch,
        sequence,
        n: o.n,
        kind: frameKinds.content,
        text: `${party}/${o.n}`,
        replyTo: null,
        serverTimeMs: o.timeMs ?? 1_000,
        sentAtMs: 0,
      };
      placing.place({ epoch, party, n: o.n, hash, ciphertextHash: null, met: { sequence }, message });
    },
    query: (options: HistoryOptions) =>
      createHistoryQuery({ store, bus, own }, { id: conversation, name: directId(peer), peer }, options),
  };
}

/** A thousand messages in order, a second apart from the first second on. */
function filled(count: number) {
  const talk = begin();
  talk.change((placing) => {
    for (let n = 1; n <= count; n += 1) talk.put(placing, { n, number: n, timeMs: n * 1_000 });
  });
  return talk;
}

const numbers = (query: ReturnType<ReturnType<typeof begin>['query']>): (number | string | undefined)[] =>
  query.getSnapshot().items.map((item) => (item.kind === 'message' ? item.sequence?.number : item.kind));

describe('a history that is subscribed to', () => {
  const step = fc.oneof(
    fc.record({
      what: fc.constant('put' as const),
      n: fc.integer({ min: 1, max: 14 }),
      number: fc.integer({ min: 1, max: 14 }),
      era: fc.integer({ min: 1, max: 3 }),
      isOwn: fc.boolean(),
      timeMs: fc.constantFrom(1_000, 1_001, 5_000),
    }),
    fc.record({ what: fc.constant('give' as const) }),
    fc.record({ what: fc.constant('receive' as const), n: fc.integer({ min: 1, max: 14 }) }),
    fc.record({ what: fc.constantFrom('older' as const, 'newer' as const), count: fc.integer({ min: 0, max: 4 }) }),
  );

  test('shows what one that is read afresh shows, whatever came, filled a hole, moved or was widened', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.constantFrom(undefined, 0, 1_001, 9_000), (steps, around) => {
        const talk = begin();
        const options = { limit: 2, ...(around !== undefined && { around: new Date(around) }) };
        const kept = talk.query(options);
        const end = kept.subscribe(() => undefined);
        const [older, newer]: [number[], number[]] = [[], []];
        for (const one of steps) {
          if (one.what === 'put') talk.change((placing) => talk.put(placing, one));
          else if (one.what === 'give')
            talk.change((placing) => placing.give(talk.epoch, gaps(placing.view(talk.epoch)).slice(0, 1), 'lost'));
          else if (one.what === 'receive') talk.receive(one.n);
          else if (one.what === 'older') {
            older.push(one.count);
            void kept.loadOlder(one.count);
          } else {
            newer.push(one.count);
            void kept.loadNewer(one.count);
          }
          const fresh = talk.query(options);
          for (const count of older) void fresh.loadOlder(count);
          for (const count of newer) void fresh.loadNewer(count);
          expect(kept.getSnapshot()).toEqual(fresh.getSnapshot());
        }
        end();
      }),
      { numRuns: 60 },
    );
  });

  test('keeps what is as it was: the snapshot, and in another one the messages', () => {
    const talk = filled(10);
    talk.change((placing) => talk.put(placing, { n: 1, number: 11, isOwn: true, timeMs: 11_000 }));
    const query = talk.query({});
    const end = query.subscribe(() => undefined);
    const before = query.getSnapshot();
    talk.change(() => undefined);
    expect(query.getSnapshot()).toBe(before);
    talk.receive(1);
    const after = query.getSnapshot();
    expect(after.items.map((item, index) => item === before.items[index])).toEqual([
      ...Array<true>(10).fill(true),
      false,
    ]);
    expect(after.items.at(-1)).toMatchObject({ status: { state: 'delivered' } });
    end();
  });

  test('reads of the file what a page adds, and of a change what it changes', () => {
    const talk = filled(400);
    const query = talk.query({ limit: 50 });
    const end = query.subscribe(() => undefined);
    void query.loadOlder(200);
    const read = vi.spyOn(store.messages, 'between');
    const rows = () => read.mock.results.map(({ value }) => (Array.isArray(value) ? value.length : 0));
    void query.loadOlder(10);
    expect(rows()).toEqual([10]);
    talk.change((placing) => talk.put(placing, { n: 401, number: 401, timeMs: 401_000 }));
    expect(rows()).toEqual([10, 1]);
    expect(query.getSnapshot().items).toHaveLength(260);
    end();
  });
});

describe('pages', () => {
  test('meet without a gap and without a repeat, in both directions, from any date and any message', () => {
    const talk = filled(60);
    const all = Array.from({ length: 60 }, (_, index) => index + 1);
    for (const [ms, first] of [
      [0, 1],
      [30_000, 25],
      [30_001, 26],
      [60_000, 55],
    ] as const) {
      const query = talk.query({ limit: 5, around: new Date(ms) });
      expect(numbers(query)[0]).toBe(first);
      while (query.getSnapshot().hasOlder) void query.loadOlder(7);
      while (query.getSnapshot().hasNewer) void query.loadNewer(7);
      expect(numbers(query)).toEqual(all);
    }
    const [message] = talk.query({ limit: 1, around: new Date(20_000) }).getSnapshot().items;
    if (message?.kind !== 'message') throw new Error('no message');
    expect(numbers(talk.query({ limit: 2, around: message.id }))).toEqual([17, 18, 19, 20]);
  });

  test('show the holes that lie between their messages, and those before the first with the first', () => {
    const talk = begin();
    talk.change((placing) => {
      for (const n of [1, 2, 4, 5, 7, 8, 10]) talk.put(placing, { n, number: n, timeMs: n * 1_000 });
      placing.give(talk.epoch, gaps(placing.view(talk.epoch)), 'lost');
    });
    const query = talk.query({ limit: 2, around: new Date(6_000) });
    expect(numbers(query)).toEqual([4, 5, 'hole', 7, 8]);
    void query.loadOlder();
    expect(numbers(query)).toEqual([1, 2, 'hole', 4, 5, 'hole', 7, 8]);
    void query.loadNewer();
    expect(numbers(query)).toEqual([1, 2, 'hole', 4, 5, 'hole', 7, 8, 'hole', 10]);
  });

  test('of a time before all messages begin with the first, of one behind all end with the last, however far', () => {
    const talk = filled(60);
    for (const ms of [-1, -8.64e15, Number.NaN]) {
      expect(numbers(talk.query({ limit: 3, around: new Date(ms) }))).toEqual([1, 2, 3]);
    }
    for (const ms of [61_000, 8.64e15]) {
      expect(numbers(talk.query({ limit: 3, around: new Date(ms) }))).toEqual([58, 59, 60]);
    }
  });
});

test('the list of conversations is in the order of their newest message, page by page', () => {
  const talks = Array.from({ length: 120 }, (_, index) => ({ talk: begin(), timeMs: 1_000 * ((index * 7) % 120) + 1 }));
  for (const { talk, timeMs } of talks) talk.change((placing) => talk.put(placing, { n: 1, number: 1, timeMs }));
  const query = createConversationsQuery({ store, bus, own });
  const times = () => query.getSnapshot().items.map(({ activeAt }) => activeAt.getTime());
  const sorted = talks.map(({ timeMs }) => timeMs).sort((a, b) => b - a);
  expect(times()).toEqual(sorted.slice(0, 50));
  void query.loadOlder();
  expect([times(), query.getSnapshot().hasOlder]).toEqual([sorted.slice(0, 100), true]);
  void query.loadOlder();
  expect([times(), query.getSnapshot().hasOlder]).toEqual([sorted, false]);
});
