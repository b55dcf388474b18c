const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
/** Scripts and pictures that take two columns of a terminal. */
const wide =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}|\ufe0f|[\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;

/** How many columns a text takes in a terminal, as most terminals count. */
export function cells(text: string): number {
  let count = 0;
  for (const { segment } of graphemes.segment(text)) count += wide.test(segment) ? 2 : 1;
  return count;
}

/** How many rows a line takes in a terminal of this width. */
export function rowsOf(line: string, columns: number): number {
  return Math.max(1, Math.ceil(cells(line) / columns));
}
