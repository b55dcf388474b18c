const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
/** Scripts and pictures that take two columns of a terminal. */
const wide =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Script=Bopomofo}|\p{Script=Yi}|\p{Emoji_Presentation}|\ufe0f|[\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;
/** What takes none when it stands alone: marks without a letter, and formatting. */
const empty = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;
const plain = /^[ -~]*$/;

/** What a person takes for one character each. */
export function graphemes(text: string): string[] {
  return plain.test(text) ? text.split('') : Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** How many columns a text takes in a terminal, as most terminals count. */
export function cells(text: string): number {
  if (plain.test(text)) return text.length;
  let count = 0;
  for (const grapheme of graphemes(text)) count += cellsOf(grapheme);
  return count;
}

/** The columns of one grapheme: 0, 1 or 2. */
export function cellsOf(grapheme: string): number {
  if (plain.test(grapheme)) return grapheme.length;
  if (wide.test(grapheme)) return 2;
  return empty.test(grapheme) ? 0 : 1;
}

/** A text within so many columns: whole, or its beginning with an ellipsis. */
export function clip(text: string, columns: number): string {
  if (cells(text) <= columns) return text;
  let [kept, count] = ['', 0];
  for (const grapheme of graphemes(text)) {
    count += cellsOf(grapheme);
    if (count > columns - 1) break;
    kept += grapheme;
  }
  return columns > 0 ? `${kept}…` : '';
}

/** Exactly so many columns: clipped, or with spaces behind. */
export function fit(text: string, columns: number): string {
  const clipped = clip(text, columns);
  return clipped + ' '.repeat(Math.max(0, columns - cells(clipped)));
}

/**
 * A text in rows of at most so many columns, and of at least two: at spaces, between wide characters, and inside a word
 * that is longer than a row. Line feeds begin rows. No grapheme is taken apart, and none is left out but the space at a fold.
 */
export function fold(text: string, columns: number): string[] {
  return text.split('\n').flatMap((line) => foldLine(line, Math.max(2, columns)));
}

function foldLine(line: string, columns: number): string[] {
  if (plain.test(line) && line.length <= columns) return [line];
  const rows: string[] = [];
  let row = '';
  let width = 0;
  // What of the row may move down as a whole: the word that it ends with.
  let word = '';
  let wordWidth = 0;
  for (const grapheme of graphemes(line)) {
    const size = cellsOf(grapheme);
    if (width + size > columns) {
      if (grapheme === ' ') {
        rows.push(row);
        [row, width, word, wordWidth] = ['', 0, '', 0];
        continue;
      }
      const movesWord = size < 2 && wordWidth < width;
      rows.push(movesWord ? row.slice(0, row.length - word.length).trimEnd() : row);
      [row, width] = movesWord ? [word, wordWidth] : ['', 0];
      if (!movesWord) [word, wordWidth] = ['', 0];
    }
    row += grapheme;
    width += size;
    const isBreak = grapheme === ' ' || size === 2;
    word = isBreak ? '' : word + grapheme;
    wordWidth = isBreak ? 0 : wordWidth + size;
  }
  rows.push(row);
  return rows;
}
