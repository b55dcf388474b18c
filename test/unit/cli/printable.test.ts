import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { printable } from '../../../cli/src/printable.ts';

describe('a text of somebody else', () => {
  it.each([
    ['an escape sequence', '\u001b[2Jgone', '[2Jgone'],
    ['one of Latin-1', '\u009b2Jgone', '2Jgone'],
    ['a title', '\u001b]0;root@host\u0007', ']0;root@host'],
    ["a return to the line's start", 'alice: hi\rbob: hi', 'alice: hi\nbob: hi'],
    ['backspaces', 'abc\b\b\bxyz', 'abcxyz'],
    ['an override of direction', 'evil\u202etxt.exe', 'eviltxt.exe'],
  ])('cannot bring %s to a terminal', (_what, text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it.each(['أهلا وسهلا', 'नमस्ते', '你好', '👩🏽‍🍳 👨‍👩‍👧', 'e\u0301', 'line\nline'])('keeps what people write: %s', (text) => {
    expect(printable(text)).toBe(text);
  });

  it('has no control character left but the line feed, whatever it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(/[^\P{Cc}\n]|[\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });
});
