import { limits } from '@waxwing/protocol';

/** A word or a phrase: the tokens of its text in their order, next to each other. */
export type SearchTerm = {
  /** As it was typed, with at least one token in it. */
  readonly text: string;
  /** The last token may go on. */
  readonly isPrefix: boolean;
};

/** Which messages count: of one conversation, and of any of these devices; by the file's numbers. */
export type SearchScope = { readonly conversation?: number; readonly parties?: readonly number[] };

/** Whole phrases between quotation marks, the last perhaps without its end, and what stands between spaces. */
const PIECES = /["“”„]([^"“”„]*)(?:["“”„]|$)|[^\s"“”„]+/gu;

/**
 * What a person typed, as terms that all must be found. Never fails: what has no token is passed over, a star means
 * something only at the end of a term whose last token has `searchPrefixMinLength` characters, and of what is too long the
 * beginning counts. `tokenize` splits a text into tokens as the index does.
 */
export function parseSearch(query: string, tokenize: (text: string) => readonly string[]): SearchTerm[] {
  // SQLite ends a query at a NUL.
  const bounded = query.slice(0, limits.searchQueryMaxLength).replaceAll('\0', ' ');
  const terms: SearchTerm[] = [];
  for (const [piece, phrase] of bounded.matchAll(PIECES)) {
    const text = phrase ?? piece;
    const last = tokenize(text).at(-1);
    if (last === undefined) continue;
    const isPrefix = text.trimEnd().endsWith('*') && Array.from(last).length >= limits.searchPrefixMinLength;
    terms.push({ text, isPrefix });
    if (terms.length === limits.searchTermsMax) break;
  }
  return terms;
}

/** The query of FTS5 for these terms; there must be one at least, and a party where parties are given. */
export function matchText(terms: readonly SearchTerm[], { conversation, parties }: SearchScope): string {
  const words = terms.map(({ text, isPrefix }) => `${quoted(text)}${isPrefix ? ' *' : ''}`);
  return [
    `text : (${words.join(' AND ')})`,
    ...(conversation === undefined ? [] : [`scope : ${quoted(`c${conversation}`)}`]),
    ...(parties === undefined ? [] : [`scope : (${parties.map((party) => quoted(`p${party}`)).join(' OR ')})`]),
  ].join(' AND ');
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
