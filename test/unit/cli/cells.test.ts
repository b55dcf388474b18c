import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cells, clip, fit, fold, graphemes } from '../../../cli/src/chat/cells.ts';

const texts = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc
    .array(fc.constantFrom('a', 'word ', '你', '👨‍👩‍👧', 'e\u0301', 'مرحبا', ' ', '\u200d', '\u0301', '🇩🇪', '❤️'))
    .map((parts) => parts.join('')),
);
const oneLine = texts.map((text) => text.replaceAll('\n', ' '));

describe('the columns of a text', () => {
  it.each([
    ['plain', 5],
    ['你好', 4],
    ['e\u0301', 1],
    ['👨‍👩‍👧', 2],
    ['🇩🇪', 2],
    ['مرحبا', 5],
    ['\u200b', 0],
    ['', 0],
  ])('of %j are %i', (text, count) => {
    expect(cells(text)).toBe(count);
  });
});

describe('a folded text', () => {
  it.each([
    ['one two three', 7, ['one two', 'three']],
    ['one  two', 4, ['one ', 'two']],
    ['unbreakable', 4, ['unbr', 'eaka', 'ble']],
    ['你好世界', 5, ['你好', '世界']],
    ['a 你好世界', 5, ['a 你', '好世', '界']],
    ['two\nlines', 20, ['two', 'lines']],
    ['', 5, ['']],
  ])('%j in %i columns', (text, columns, rows) => {
    expect(fold(text, columns)).toEqual(rows);
  });

  it('has no row that is too wide, takes no grapheme apart, and loses only spaces', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 2, max: 30 }), (text, columns) => {
        const rows = fold(text, columns);
        for (const row of rows) expect(cells(row)).toBeLessThanOrEqual(columns);
        expect(graphemes(rows.join('')).filter((one) => one !== ' ')).toEqual(
          text
            .split('\n')
            .flatMap(graphemes)
            .filter((one) => one !== ' '),
        );
      }),
    );
  });
});

describe('a clipped text', () => {
  it('is whole or ends with an ellipsis, and is never too wide', () => {
    fc.assert(
      fc.property(oneLine, fc.integer({ min: 0, max: 30 }), (text, columns) => {
        const clipped = clip(text, columns);
        expect(cells(clipped)).toBeLessThanOrEqual(columns);
        if (clipped !== text && columns > 0) expect(clipped.endsWith('…')).toBe(true);
        expect(cells(fit(text, columns))).toBe(columns);
      }),
    );
  });
});
