import { limits } from '@waxwing/protocol';

/** A piece of a text, and whether it is what was searched for. */
export type SnippetPart = { readonly text: string; readonly match: boolean };

/** Stand around what was found in a marked text: characters that no text is meant to have. */
export const marks = { open: '\ufdd0', close: '\ufdd1' } as const;

const CUT = '…';
const BEFORE = 40;
const MARKS = /[\ufdd0\ufdd1]/u;

/**
 * The stretch of a text around the first of what was found, on one line, at most `searchSnippetMaxLength` characters and
 * an ellipsis at each end that is cut. `marked` is the text with marks in it; one that has such characters of its own
 * gives its beginning, without matches.
 */
export function snippetOf(text: string, marked: string): SnippetPart[] {
  const parts = MARKS.test(text) ? [{ text, match: false }] : partsOf(marked);
  const firstMatch = parts.findIndex(({ match }) => match);
  const lead = firstMatch < 1 ? 0 : (parts[0]?.text.length ?? 0);
  const from = lead <= BEFORE ? 0 : wordStart(text, lead - BEFORE, lead);
  const to = wholeCharacter(text, from + limits.searchSnippetMaxLength);
  const within: SnippetPart[] = from > 0 ? [{ text: CUT, match: false }] : [];
  let at = 0;
  for (const part of parts) {
    const piece = part.text.slice(Math.max(0, from - at), Math.max(0, to - at));
    at += part.text.length;
    if (piece.length > 0) within.push({ text: piece.replaceAll(/\s+/gu, ' '), match: part.match });
  }
  if (to < text.length) within.push({ text: CUT, match: false });
  return within;
}

function partsOf(marked: string): SnippetPart[] {
  const parts: SnippetPart[] = [];
  let match = false;
  for (const text of marked.split(MARKS)) {
    if (text.length > 0) parts.push({ text, match });
    match = !match;
  }
  return parts;
}

/** Where a word begins between two places, or else the first of them. */
function wordStart(text: string, from: number, to: number): number {
  const space = text.slice(from, to).search(/\s/u);
  return space === -1 ? wholeCharacter(text, from) : from + space + 1;
}

/** The place itself, or the one before, where it would cut a character in two. */
function wholeCharacter(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff ? at - 1 : at;
}
