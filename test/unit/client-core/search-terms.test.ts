import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  frameKinds,
  limits,
  parseAccountId,
  parseDeviceId,
  parseEra,
  parseHandle,
  parseMessageId,
} from '@waxwing/protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore, type Store } from '../../../client-core/src/history/store.ts';
import { matchText, parseSearch, type SearchScope, type SearchTerm } from '../../../client-core/src/search-terms.ts';

let store: Store;
beforeAll(() => {
  const path = join(mkdtempSync(join(tmpdir(), 'waxwing-terms-')), 'device.db');
  store = openStore(path, new Uint8Array(32).fill(1), { create: true });
  store.transaction(keepOne);
});
afterAll(() => store.close());

/** A message: where there is none, SQLite finds nothing without looking at the query. */
function keepOne(): void {
  const account = parseAccountId('00000000-0000-4000-8000-000000000001');
  const { id: conversation } = store.conversations.ensureDirect(account, 0);
  const handle = parseHandle(Buffer.alloc(32, 1).toString('base64url'));
  const { id: epoch } = store.conversations.ensureEpoch(conversation, 1, handle);
  const party = store.parties.ensure({ account, device: parseDeviceId(1) }, 1);
  const messageId = parseMessageId('01890000-0000-7000-8000-000000000001');
  const common = { conversation, messageId, party, own: false, epoch, n: 1, kind: frameKinds.content, replyTo: null };
  const sequence = { era: parseEra(1), number: 1 };
  store.messages.insert({ ...common, sequence, text: 'kept', serverTimeMs: 1, sentAtMs: 1 });
  const row = store.messages.find(messageId, party);
  if (row) store.messages.release(row);
}

const found = (terms: readonly SearchTerm[], scope: SearchScope = {}): number =>
  store.search.find(matchText(terms, scope), undefined, 5).length;

const parse = (query: string): SearchTerm[] => parseSearch(query, (text) => store.search.tokens(text));
const word = (text: string): SearchTerm => ({ text, isPrefix: false });
const begin = (text: string): SearchTerm => ({ text, isPrefix: true });

describe('what is typed', () => {
  test.each<[string, SearchTerm[]]>([
    ['one two', [word('one'), word('two')]],
    ['  one\n\ttwo ', [word('one'), word('two')]],
    ['"one two" three', [word('one two'), word('three')]],
    ['“one two” three', [word('one two'), word('three')]],
    ['hel* wor', [begin('hel*'), word('wor')]],
    ['"hello wor*"', [begin('hello wor*')]],
    ['he*', [begin('he*')]],
    ['é́t*', [begin('é́t*')]],
    ['"one two', [word('one two')]],
    ['one"two"', [word('one'), word('two')]],
    ['OR AND NOT NEAR(a, b)', ['OR', 'AND', 'NOT', 'NEAR(a,', 'b)'].map(word)],
    ['text:one', [word('text:one')]],
    ['北京', [word('北京')]],
  ])('%j is all of its terms', (query, terms) => {
    expect(parse(query)).toEqual(terms);
  });

  test.each(['', ' ', '""', '*', '* * *', '"', '" "', '-', '!?', '(', ')', '^', '{}', "'", '\0', '\ud800'])(
    '%j has no term: it finds nothing',
    (query) => {
      expect(parse(query)).toEqual([]);
    },
  );

  test('with a star after one character is that character, and no prefix', () => {
    for (const query of ['h*', '"h*"', 'in-h*', '北*', '北京*']) {
      expect(parse(query)).toEqual([word(query.replaceAll('"', ''))]);
    }
  });

  test('counts up to a length and a number of terms', () => {
    expect(parse('ab '.repeat(400))).toHaveLength(limits.searchTermsMax);
    const [only, ...others] = parse('x'.repeat(limits.searchQueryMaxLength * 2));
    expect(only?.text).toHaveLength(limits.searchQueryMaxLength);
    expect(others).toEqual([]);
  });
});

test('a term is quoted, whatever is in it', () => {
  expect(found([word('kept')])).toBe(1);
  for (const text of ['a"b', '"', '" OR "kept', 'a" *']) expect(found([word(text)])).toBe(0);
});

test('the index refuses what is no query of its own', () => {
  for (const match of ['"a', 'a AND', 'text : (']) expect(() => store.search.find(match, undefined, 5)).toThrow();
});

describe('any string', () => {
  const hard = fc.constantFrom(
    '"',
    '*',
    '(',
    ')',
    ':',
    '^',
    '+',
    '-',
    '\0',
    "'",
    '{',
    'a',
    'b1',
    ' ',
    'AND',
    'NEAR',
    '“',
  );
  const typed = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.array(hard, { maxLength: 20 }).map((pieces) => pieces.join('')),
  );

  test('is a query that the index takes, or none, and each of its terms has a token', () => {
    fc.assert(
      fc.property(typed, (query) => {
        const terms = parse(query);
        for (const { text } of terms) expect(store.search.tokens(text).length).toBeGreaterThan(0);
        if (terms.length === 0) return;
        for (const scope of [{}, { conversation: 1 }, { parties: [1, 2] }, { conversation: 1, parties: [3] }]) {
          expect(found(terms, scope)).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 500 },
    );
  });
});
