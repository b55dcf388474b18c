import { limits } from '@waxwing/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { marks, snippetOf, type SnippetPart } from '../../../client-core/src/snippet.ts';

const { open, close } = marks;
const plain = (marked: string): string => marked.replaceAll(open, '').replaceAll(close, '');
const cut = (marked: string): SnippetPart[] => snippetOf(plain(marked), marked);
const bare = (text: string): string => text.replaceAll(/[\s…]+/gu, '');
const joined = (parts: readonly SnippetPart[]): string => parts.map(({ text }) => text).join('');

describe('a snippet', () => {
  test('is the whole of a short text, with what was found told apart', () => {
    expect(cut(`over ${open}there${close} and ${open}there${close}`)).toEqual([
      { text: 'over ', match: false },
      { text: 'there', match: true },
      { text: ' and ', match: false },
      { text: 'there', match: true },
    ]);
  });

  test('of a long text stands around the first that was found, begins with a word, and says that it is cut', () => {
    const parts = cut(`${'before '.repeat(50)}${open}found${close}${' behind'.repeat(50)}`);
    expect(parts.at(0)).toEqual({ text: '…', match: false });
    expect(parts.at(1)?.text).toMatch(/^(before )+$/);
    expect(parts.at(2)).toEqual({ text: 'found', match: true });
    expect(parts.at(-1)).toEqual({ text: '…', match: false });
  });

  test('is one line', () => {
    expect(joined(cut(`one\n\n${open}two${close}\n\tthree`))).toBe('one two three');
  });

  test('of a text that has marks of its own shows its beginning without matches', () => {
    const text = `a ${open}b${close} c`;
    expect(snippetOf(text, `a ${open}${open}b${close} ${close}c`)).toEqual([{ text, match: false }]);
  });

  test('cuts no pair of surrogates apart, at either end', () => {
    const many = '🎉'.repeat(200);
    for (const shift of ['', 'a']) {
      const whole = joined(cut(`${shift}${many}${open}found${close}${shift}${many}`));
      expect(whole).toMatch(/^…(🎉)+founda?(🎉)+…$/u);
    }
  });

  test('is a stretch of the text, no longer than its limit', () => {
    const piece = fc.oneof(fc.constantFrom('word', ' ', '🎉', '北京', 'é', '\n'), fc.string({ maxLength: 30 }));
    const text = fc.array(piece, { maxLength: 120 }).map((pieces) => plain(pieces.join('')));
    fc.assert(
      fc.property(text, fc.string({ minLength: 1, maxLength: 10 }), text, (before, found, behind) => {
        const parts = snippetOf(before + found + behind, before + open + found + close + behind);
        const whole = joined(parts.filter(({ text }) => text !== '…'));
        expect(whole.length).toBeLessThanOrEqual(limits.searchSnippetMaxLength);
        expect(bare(before + found + behind)).toContain(bare(whole));
      }),
      { numRuns: 200 },
    );
  });
});
