import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { frameKinds, parseAccountId, parseDeviceId, parseEra, parseHandle, parseMessageId } from '@waxwing/protocol';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConversationStore } from '../../../../client-core/src/history/conversations.ts';
import { Db } from '../../../../client-core/src/history/database.ts';
import { PartyStore } from '../../../../client-core/src/history/parties.ts';
import type { MessageRow, NewMessage } from '../../../../client-core/src/history/message-row.ts';
import { MessageStore } from '../../../../client-core/src/history/messages.ts';
import { compareKeys } from '../../../../client-core/src/history/order-key.ts';

let db: Db;
let messages: MessageStore;
let conversations: ConversationStore;
let party: number;
let made = 0;

beforeEach(() => {
  const path = join(mkdtempSync(join(tmpdir(), 'waxwing-messages-')), 'device.db');
  db = Db.open(path, new Uint8Array(32).fill(1), { create: true });
  messages = new MessageStore(db);
  conversations = new ConversationStore(db);
  party = new PartyStore(db).ensure({ account: account(0xffff), device: parseDeviceId(1) }, 1);
});
afterEach(() => db.close());

const account = (id: number) => parseAccountId(`00000000-0000-4000-8000-${id.toString(16).padStart(12, '0')}`);

/** The epoch with this number of the conversation with this peer. */
function epochOf(peer: number, number = 1): { conversation: number; epoch: number } {
  const conversation = conversations.ensureDirect(account(peer), 0).id;
  const handle = parseHandle(Buffer.alloc(32).fill(peer).fill(number, 0, 2).toString('base64url'));
  return { conversation, epoch: conversations.ensureEpoch(conversation, number, handle).id };
}

function message(
  at: { conversation: number; epoch: number },
  o: { era?: number; number: number; timeMs?: number; text?: string; own?: boolean },
): NewMessage {
  made += 1;
  return {
    ...at,
    messageId: parseMessageId(`01890000-0000-7000-8000-${made.toString(16).padStart(12, '0')}`),
    party,
    own: o.own ?? false,
    sequence: { era: parseEra(o.era ?? 1), number: o.number },
    n: made,
    kind: frameKinds.content,
    text: o.text ?? `text ${made}`,
    replyTo: null,
    serverTimeMs: o.timeMs ?? 1_000,
    sentAtMs: 0,
  };
}

function insert(one: NewMessage): MessageRow {
  messages.insert(one);
  const row = messages.find(one.messageId, one.party);
  if (!row) throw new Error('not inserted');
  messages.release(row);
  return row;
}

/** Where the messages of a conversation stand, by the order of their ids. */
const order = (conversation: number): number[][] =>
  messages
    .pageBefore(conversation, undefined, 100_000)
    .reverse()
    .map(({ epochNumber, sequence }) => [epochNumber, sequence.era, sequence.number]);

const sorted = (places: number[][]): number[][] =>
  [...places].sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0) || (a[1] ?? 0) - (b[1] ?? 0) || (a[2] ?? 0) - (b[2] ?? 0));

/** Throws where the search table and the messages differ. */
function checkSearch(): void {
  db.run(`INSERT INTO search (search, rank) VALUES ('integrity-check', 1)`);
}

const found = (word: string): number => db.all('SELECT rowid FROM search WHERE search MATCH ?', `text:${word}`).length;

describe('messages put in in any order', () => {
  const place = fc.record({
    peer: fc.integer({ min: 1, max: 4 }),
    epoch: fc.integer({ min: 1, max: 3 }),
    era: fc.integer({ min: 1, max: 3 }),
    number: fc.integer({ min: 1, max: 12 }),
    timeMs: fc.constantFrom(0, 1_000, 1_000, 1_001, 5_000, 2 ** 42, Number.MAX_SAFE_INTEGER),
  });

  test('stand in the order of (epoch, era, number) in each conversation, each once, and search agrees', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(place, { selector: (p) => `${p.peer}/${p.epoch}/${p.era}/${p.number}`, maxLength: 60 }),
        (places) => {
          db.transaction(() => {
            db.run('DELETE FROM message');
            db.run(`INSERT INTO search (search) VALUES ('rebuild')`);
            // What it remembers of the rows is gone with them.
            messages = new MessageStore(db);
            const ids = new Map<number, number>();
            for (const { peer, epoch, era, number, timeMs } of places) {
              const at = epochOf(peer, epoch);
              insert(message(at, { era, number, timeMs }));
              ids.set(peer, at.conversation);
            }
            let total = 0;
            for (const conversation of ids.values()) {
              const placed = order(conversation);
              expect(placed).toEqual(sorted(placed));
              total += placed.length;
            }
            expect(total).toBe(places.length);
            checkSearch();
            expect(found('text')).toBe(places.length);
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  test('of many conversations at one server time have ids of their own', () => {
    db.transaction(() => {
      for (let peer = 1; peer <= 120; peer += 1) {
        for (const number of [2, 1, 3]) insert(message(epochOf(peer), { number }));
      }
    });
    const inbox = messages.inboxAfter(0, 1_000);
    expect(inbox).toHaveLength(360);
    expect(new Set(inbox.map(({ key }) => `${key.ms}.${key.tie}`)).size).toBe(360);
    for (let peer = 1; peer <= 120; peer += 1) {
      expect(order(epochOf(peer).conversation).map((place) => place[2])).toEqual([1, 2, 3]);
    }
  });

  test('always into the same gap make room where it is exhausted, beside other conversations at the same times', () => {
    const at = epochOf(1);
    const other = epochOf(2);
    db.transaction(() => {
      insert(message(at, { number: 1 }));
      insert(message(at, { number: 10_000 }));
      for (let number = 1; number <= 40; number += 1) insert(message(other, { number, timeMs: 1_000 + (number % 3) }));
      for (let number = 9_999; number > 9_900; number -= 1) insert(message(at, { number }));
      for (let number = 2; number < 100; number += 1) insert(message(at, { number }));
    });
    const placed = order(at.conversation);
    expect(placed).toHaveLength(199);
    expect(placed).toEqual(sorted(placed));
    expect(order(other.conversation)).toHaveLength(40);
    checkSearch();
  });

  test('keep the texts beside them when rows make room', () => {
    const at = epochOf(1);
    db.transaction(() => {
      insert(message(at, { number: 1, text: 'first' }));
      insert(message(at, { number: 500, text: 'last' }));
      for (let number = 499; number > 470; number -= 1) insert(message(at, { number, text: `word${number}` }));
    });
    const texts = messages.pageBefore(at.conversation, undefined, 100).reverse();
    expect(texts.every(({ text, sequence }) => [`word${sequence.number}`, 'first', 'last'].includes(text ?? ''))).toBe(
      true,
    );
    expect(found('word480')).toBe(1);
    expect(found('last')).toBe(1);
  });
});

describe('a message that moves', () => {
  test('keeps its inbox place, its lateness and its text; the search row moves with it', () => {
    const at = epochOf(1);
    db.transaction(() => {
      const first = insert(message(at, { number: 1, text: 'wanderer' }));
      insert(message(at, { number: 2, text: 'between' }));
      const row = messages.find(first.messageId, party);
      if (!row) throw new Error('gone');
      messages.move(row, { era: parseEra(5), number: 1 });
    });
    const rows = messages.pageBefore(at.conversation, undefined, 10).reverse();
    expect(rows.map(({ text, inbox }) => [text, inbox])).toEqual([
      ['between', 2],
      ['wanderer', 1],
    ]);
    expect(messages.inboxAfter(0, 10).map(({ text }) => text)).toEqual(['wanderer', 'between']);
    checkSearch();
    expect(found('wanderer')).toBe(1);
  });

  test('back to before what came into the inbox before it is late there', () => {
    const at = epochOf(1);
    db.transaction(() => {
      insert(message(at, { number: 2, text: 'between' }));
      const last = insert(message(at, { number: 3, text: 'wanderer' }));
      const row = messages.find(last.messageId, party);
      if (!row) throw new Error('gone');
      messages.move(row, { era: row.sequence.era, number: 1 });
    });
    expect(messages.inboxAfter(0, 10).map(({ text, late }) => [text, late])).toEqual([
      ['between', false],
      ['wanderer', true],
    ]);
  });

  test('that is not shown yet stays so', () => {
    const at = epochOf(1);
    db.transaction(() => {
      const one = message(at, { number: 3 });
      messages.insert(one);
      const row = messages.find(one.messageId, party);
      if (!row) throw new Error('gone');
      messages.move(row, { era: parseEra(2), number: 1 });
    });
    expect(messages.pageBefore(at.conversation, undefined, 10)).toEqual([]);
    expect(messages.waiting(at.epoch, undefined)).toHaveLength(1);
    expect(messages.lastInbox()).toBe(0);
  });
});

describe('what waits for a gap', () => {
  test('is read up to a sequence, in order, and no further', () => {
    const at = epochOf(1);
    db.transaction(() => {
      for (const [era, number] of [
        [2, 1],
        [1, 7],
        [1, 5],
        [1, 6],
      ] as const)
        messages.insert(message(at, { era, number }));
    });
    const upTo = (era: number, number: number) =>
      messages.waiting(at.epoch, { era: parseEra(era), number }).map(({ sequence }) => [sequence.era, sequence.number]);
    expect(upTo(1, 5)).toEqual([]);
    expect(upTo(1, 7)).toEqual([
      [1, 5],
      [1, 6],
    ]);
    expect(upTo(2, 1)).toHaveLength(3);
    expect(messages.waiting(at.epoch, undefined)).toHaveLength(4);
  });
});

test('own messages do not enter the inbox, and every other one enters it once, in the order of release', () => {
  const at = epochOf(1);
  db.transaction(() => {
    insert(message(at, { number: 3, own: true }));
    insert(message(at, { number: 2, text: 'second' }));
    insert(message(at, { number: 1, text: 'first' }));
  });
  expect(messages.inboxAfter(0, 10).map(({ text, inbox }) => [text, inbox])).toEqual([
    ['second', 1],
    ['first', 2],
  ]);
  expect(messages.inboxAfter(1, 10)).toHaveLength(1);
  expect(messages.inboxAfter(2, 10)).toEqual([]);
});

test('pages meet without a gap and without a repeat, in both directions', () => {
  const at = epochOf(1);
  db.transaction(() => {
    for (let number = 1; number <= 25; number += 1)
      insert(message(at, { number, timeMs: 1_000 + Math.floor(number / 5) }));
  });
  const down: number[] = [];
  let before: MessageRow['key'] | undefined;
  for (;;) {
    const page = messages.pageBefore(at.conversation, before, 7);
    if (page.length === 0) break;
    down.push(...page.map(({ sequence }) => sequence.number));
    before = page.at(-1)?.key;
  }
  expect(down).toEqual(Array.from({ length: 25 }, (_, index) => 25 - index));
  const oldest = messages.pageBefore(at.conversation, undefined, 100).at(-1);
  if (!oldest) throw new Error('empty');
  const up = messages.pageAfter(at.conversation, oldest.key, 100);
  expect(up.map(({ sequence }) => sequence.number)).toEqual(Array.from({ length: 24 }, (_, index) => index + 2));
  for (const [index, row] of up.entries()) {
    const next = up[index + 1];
    if (next) expect(compareKeys(row.key, next.key)).toBeLessThan(0);
  }
});

test('an id alone finds the own message first, should another have repeated it', () => {
  const at = epochOf(1);
  const other = new PartyStore(db).ensure({ account: account(7), device: parseDeviceId(2) }, 1);
  db.transaction(() => {
    const own = message(at, { number: 1, own: true, text: 'mine' });
    messages.insert({ ...message(at, { number: 2, text: 'theirs' }), messageId: own.messageId, party: other });
    messages.insert(own);
    expect(messages.byId(own.messageId)?.text).toBe('mine');
    expect(messages.byPlace(at.epoch, own.sequence)?.text).toBe('mine');
  });
});
