import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inputLines } from '../../../cli/src/input-lines.ts';
import { parseOutgoingLine } from '../../../cli/src/outgoing-line.ts';

async function linesOf(...chunks: readonly (Buffer | string)[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const { line } of inputLines(Readable.from(chunks, { objectMode: true }))) lines.push(line);
  return lines;
}

describe('a line to send', () => {
  it('is its text, unless it begins as a JSON object', () => {
    for (const text of ['hello', '{curly}', '{ }', '"quoted"', '[1]', ' {"text":"x"}']) {
      expect(parseOutgoingLine(text, 1)).toEqual({ text });
    }
  });

  it('as JSON brings its id', () => {
    expect(parseOutgoingLine('{"id":"k","text":"two\\nlines"}', 1)).toEqual({ key: 'k', text: 'two\nlines' });
    expect(parseOutgoingLine('{ "text": "no id" }', 1)).toEqual({ text: 'no id' });
  });

  it.each([
    '{"text":1}',
    '{"txt":"x"}',
    '{"id":"","text":"x"}',
    '{"id":1,"text":"x"}',
    '{"text":"x"',
    '{"text":"x","to":"y"}',
  ])('that is JSON of something else is refused with its number: %s', (line) => {
    expect(() => parseOutgoingLine(line, 7)).toThrow(/line 7/);
  });
});

describe('the lines of an input', () => {
  it('are the same however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.string({ unit: 'grapheme', minLength: 1 }).filter((line) => !/[\n\r]/.test(line)),
          { maxLength: 5 },
        ),
        fc.array(fc.nat(200), { maxLength: 6 }),
        async (lines, cuts) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
          const at = [...new Set([0, ...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length])].sort(
            (a, b) => a - b,
          );
          const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
          expect(await linesOf(...chunks)).toEqual(lines);
        },
      ),
    );
  });

  it('end with LF or CR LF, the last one with neither; empty ones are none', async () => {
    expect(await linesOf('a\r\n\n\r\nb\nc')).toEqual(['a', 'b', 'c']);
  });

  it('that never end are refused before they fill the memory', async () => {
    const endless = Array.from({ length: 20 }, () => 'x'.repeat(64 * 1024));
    await expect(linesOf(...endless)).rejects.toThrow(/line 1 of the input is longer/);
  });
});
