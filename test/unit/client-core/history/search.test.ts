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
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { directId } from '../../../../client-core/src/conversation-id.ts';
import { openStore, type Store } from '../../../../client-core/src/history/store.ts';
import { searchPage, type SearchOptions } from '../../../../client-core/src/search.ts';
import { Placing } from '../../../../client-core/src/sync/placing.ts';
import { gaps } from '../../../../client-core/src/sync/sequencer.ts';

let store: Store;
let begun = 0;

beforeEach(() => {
  const path = join(mkdtempSync(join(tmpdir(), 'waxwing-search-')), 'device.db');
  store = openStore(path, new Uint8Array(32).fill(1), { create: true });
});
afterEach(() => store.close());

type Talk = ReturnType<typeof begin>;

/** A conversation with two senders and nothing in it. */
function begin() {
  begun += 1;
  const account = (last: string) => parseAccountId(`00000000-0000-4000-800${last}-${String(begun).padStart(12, '0')}`);
  return store.transaction(() => {
    const peer = account('0');
    const { id: conversation } = store.conversations.ensureDirect(peer, 0);
    const handle = parseHandle(Buffer.from(sha256(peer)).toString('base64url'));
    const { id: epoch } = store.conversations.ensureEpoch(conversation, 2, handle);
    const senders = [peer, account('1')].map((from) => ({
      from,
      party: store.parties.ensure({ account: from, device: parseDeviceId(1) }, 1),
    }));
    return { name: directId(peer), conversation, epoch, senders };
  });
}

function put(
  placing: Placing,
  talk: Talk,
  o: { by: number; n: number; era: number; number: number; text: string },
): void {
  const { conversation, epoch, senders } = talk;
  const party = senders[o.by]?.party ?? 0;
  const sequence = { era: parseEra(o.era), number: o.number };
  placing.place({
    epoch,
    party,
    n: o.n,
    hash: sha256(`${party}/${o.n}`),
    ciphertextHash: null,
    met: { sequence },
    message: {
      conversation,
      messageId: parseMessageId(`01890000-0000-7000-8000-${(party * 1_000 + o.n).toString(16).padStart(12, '0')}`),
      party,
      own: false,
      epoch,
      sequence,
      n: o.n,
      kind: frameKinds.content,
      text: o.text,
      replyTo: null,
      serverTimeMs: 1_000,
      sentAtMs: 0,
    },
  });
}

/** One transaction over a placing. */
function placed(work: (placing: Placing) => void): void {
  store.transaction(() => {
    const placing = new Placing(store, 1_000);
    work(placing);
    placing.finish();
  });
}

/** Every hit, by pages of three: message ids. */
function found(query: string, options: SearchOptions = {}): string[] {
  const ids: string[] = [];
  let before: string | null | undefined;
  while (before !== null) {
    const page = searchPage(store, query, { limit: 3, ...options, ...(before !== undefined && { before }) });
    ids.push(...page.items.map(({ message }) => message.id));
    before = page.before;
  }
  return ids;
}

describe('the search', () => {
  const words = ['ant', 'antler', 'bee', 'beetle', 'cat'];
  const text = fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 4 });
  const step = fc.record({
    what: fc.constantFrom('place', 'place', 'place', 'again', 'give'),
    talk: fc.nat(1),
    by: fc.nat(1),
    n: fc.integer({ min: 1, max: 5 }),
    era: fc.integer({ min: 1, max: 3 }),
    number: fc.integer({ min: 1, max: 6 }),
    text,
  });

  /** What a query means, over texts of simple words. */
  const queries: readonly (readonly [string, (words: readonly string[]) => boolean])[] = [
    ...words.map((word) => [word, (all: readonly string[]) => all.includes(word)] as const),
    ['AN*', (all) => all.some((word) => word.startsWith('an'))],
    ['beet*', (all) => all.some((word) => word.startsWith('beet'))],
    ['cat bee*', (all) => all.includes('cat') && all.some((word) => word.startsWith('bee'))],
    ['"ant bee"', (all) => all.some((word, index) => word === 'ant' && all[index + 1] === 'bee')],
    ['"cat an*"', (all) => all.some((word, index) => word === 'cat' && all[index + 1]?.startsWith('an'))],
    ['dog', () => false],
  ];

  test('finds exactly the shown messages that have the words, newest first, whatever was placed, held back, given or moved', () => {
    fc.assert(
      fc.property(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 8 }), (batches) => {
        const talks = [begin(), begin()];
        const texts = new Map<string, string>();
        for (const batch of batches) {
          placed((placing) => {
            for (const { what, talk: index, text: typed, ...at } of batch) {
              const talk = talks[index];
              if (talk === undefined) continue;
              if (what === 'give') placing.give(talk.epoch, gaps(placing.view(talk.epoch)).slice(0, 1), 'lost');
              // A frame keeps its text, wherever it is placed again.
              const key = `${index}/${at.by}/${at.n}`;
              const isKnown = texts.has(key);
              if (what === 'place' && isKnown) continue;
              if (what === 'again' && !isKnown) continue;
              if (what === 'give') continue;
              if (!isKnown) texts.set(key, typed.join(' '));
              put(placing, talk, { ...at, text: texts.get(key) ?? '' });
            }
          });
        }
        const shown = talks.flatMap((talk) => {
          const rows = store.messages.pageBefore(talk.conversation, undefined, 1_000);
          return rows.map((row) => ({ ...row, id: row.messageId, name: talk.name }));
        });
        shown.sort((a, b) => b.key.ms - a.key.ms || b.key.tie - a.key.tie);
        for (const [query, matches] of queries) {
          const all = shown.filter((row) => matches((row.text ?? '').split(' ')));
          const mine = (id: string): boolean => shown.some((row) => row.id === id);
          expect([query, found(query).filter(mine)]).toEqual([query, all.map(({ id }) => id)]);
          for (const { name, senders } of talks) {
            const within = all.filter((row) => row.name === name);
            expect(found(query, { conversation: name })).toEqual(within.map(({ id }) => id));
            for (const { from } of senders) {
              expect(found(query, { from })).toEqual(all.filter((row) => row.from === from).map(({ id }) => id));
            }
          }
        }
      }),
      { numRuns: 15 },
    );
  });

  test('finds words of scripts without spaces, whatever the case and the accents, and says where', () => {
    const talk = begin();
    placed((placing) => {
      put(placing, talk, { by: 0, n: 1, era: 1, number: 1, text: '我今天去北京出差' });
      put(placing, talk, { by: 0, n: 2, era: 1, number: 2, text: 'Café ÉTOILE, straße' });
      put(placing, talk, { by: 1, n: 1, era: 1, number: 3, text: '京北' });
    });
    const texts = (query: string) =>
      searchPage(store, query, {}).items.map(({ snippet }) =>
        snippet.map(({ text, match }) => (match ? `[${text}]` : text)).join(''),
      );
    expect(texts('北京')).toEqual(['我今天去[北京]出差']);
    expect(texts('cafe étoile')).toEqual(['[Café] [ÉTOILE], straße']);
    expect(texts('etoi*')).toEqual(['Café [ÉTOILE], straße']);
  });

  test('is confined by what stands in its tables, not by what a text looks like', () => {
    const talk = begin();
    placed((placing) => {
      const scope = `c${talk.conversation} p${talk.senders[0]?.party ?? 0}`;
      put(placing, talk, { by: 0, n: 1, era: 1, number: 1, text: 'plain' });
      put(placing, talk, { by: 1, n: 1, era: 1, number: 2, text: scope });
    });
    expect(found(`c${talk.conversation}`)).toHaveLength(1);
    const [first, second] = talk.senders;
    expect(found(`c${talk.conversation}`, { ...(first && { from: first.from }) })).toEqual([]);
    expect(found('plain', { ...(second && { from: second.from }) })).toEqual([]);
  });
});

test('a page is bounded, says where the next begins, and refuses what none gave', () => {
  const talk = begin();
  placed((placing) => {
    for (let number = 1; number <= 30; number += 1) put(placing, talk, { by: 0, n: number, era: 1, number, text: 'x' });
  });
  expect(searchPage(store, 'x', {}).items).toHaveLength(20);
  expect(searchPage(store, 'x', { limit: 30 })).toMatchObject({ before: null });
  for (const limit of [0, -1, Number.NaN])
    expect(searchPage(store, 'x', { limit })).toEqual({ items: [], before: null });
  for (const before of ['', 'x', '1', '1.2.3']) expect(() => searchPage(store, 'x', { before })).toThrow(TypeError);
});
