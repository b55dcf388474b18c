import type { SearchOptions } from '@waxwing/client-core';
import { commonPrefix, marks, vocabulary, type Mark } from './texts.ts';

/** Where a search looks: everywhere, in the largest conversation, in one of the others, or what one contact wrote. */
export type Where = 'all' | 'largest' | 'small' | 'from';

/** What one process measures, and how long each of it may take. */
export type Row = { readonly name: string; readonly boundMs: number } & (
  | { readonly kind: 'open' | 'jump' | 'around' | 'older' | 'newer' | 'back' }
  | {
      readonly kind: 'search';
      readonly query: string;
      readonly where: Where;
      readonly options?: SearchOptions;
      /** How many there are, where all are counted. */
      readonly mark?: Mark;
      /** So many hits further down. */
      readonly depth?: number;
    }
);

const PAGE_MS = 20;
const SEARCH_MS = 50;

function search(name: string, query: string, where: Where, more: { mark?: Mark; depth?: number } = {}): Row {
  const place = { all: '', largest: ', largest conversation', small: ', small conversation', from: ', of one writer' };
  return { kind: 'search', name: name + place[where], boundMs: SEARCH_MS, query, where, ...more };
}

const hits: readonly (readonly [string, Mark])[] = [
  ['10 hits', marks.fewWords],
  ['1/1000 hits', marks.someWords],
  ['1/10 hits', marks.manyWords],
];
const phraseHits: readonly (readonly [string, Mark])[] = [
  ['10 hits', marks.fewPhrases],
  ['1/1000 hits', marks.somePhrases],
  ['1/10 hits', marks.manyPhrases],
];

const everywhere: readonly Where[] = ['all', 'largest', 'small', 'from'];

export const rows: readonly Row[] = [
  { kind: 'open', name: 'open, list of conversations and first page', boundMs: 100 },
  { kind: 'jump', name: 'jump to a date', boundMs: PAGE_MS },
  { kind: 'around', name: 'jump to a message', boundMs: PAGE_MS },
  { kind: 'older', name: 'older page at a random depth', boundMs: PAGE_MS },
  { kind: 'newer', name: 'newer page at a random depth', boundMs: PAGE_MS },
  { kind: 'back', name: '200 older pages from the newest on', boundMs: PAGE_MS },
  ...hits.flatMap(([name, mark]) =>
    everywhere.map((where) => search(`word, ${name}`, mark.text, where, where === 'all' ? { mark } : {})),
  ),
  ...phraseHits.flatMap(([name, mark]) =>
    everywhere.map((where) => search(`phrase, ${name}`, `"${mark.text}"`, where, where === 'all' ? { mark } : {})),
  ),
  search('word, 1/10 hits, page far down', marks.manyWords.text, 'all', { depth: 10_000 }),
  search('word of Chinese, 1/1000 hits', '北京', 'all', { mark: marks.chinese }),
  search('most common word', vocabulary[0] ?? '', 'all'),
  search('two common words, both', `${vocabulary[0] ?? ''} ${vocabulary[1] ?? ''}`, 'all'),
  search('two words of 1/4 that never meet', 'alpha omega', 'all'),
  search('phrase of two words of 1/4 that never meet', '"alpha omega"', 'all'),
  ...[2, 3, 4].flatMap((length) => [
    search(`most common prefix of ${length}`, commonPrefix(length), 'all'),
    search(`most common prefix of ${length}`, commonPrefix(length), 'small'),
  ]),
  search('rare prefix of 2', 'qu*', 'all', { mark: marks.fewWords }),
  search('prefix of 4, 1/10 hits', 'mapl*', 'all'),
  search('word and prefix', `walnut ${commonPrefix(2)}`, 'all'),
];
