import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { edit, emptyInput, entered, textOf, type InputLine } from '../../../cli/src/chat/terminal/input-line.ts';
import { listenForKeys, type Key, type KeyName } from '../../../cli/src/chat/terminal/keys.ts';

const ESC = String.fromCodePoint(27);

/** What is taken of these bytes, each chunk as a terminal hands it over. */
async function typed(...chunks: readonly (string | Buffer)[]): Promise<Key[]> {
  const stdin = new PassThrough();
  const keys: Key[] = [];
  const end = listenForKeys(stdin, (key) => keys.push(key));
  for (const chunk of chunks) stdin.write(chunk);
  await new Promise((resolve) => setImmediate(resolve));
  end();
  return keys;
}

const text = (value: string): Key => ({ type: 'text', text: value });
const named = (name: KeyName): Key => ({ type: 'press', name });

describe('what is typed', () => {
  it('comes key by key, whatever script it is in', async () => {
    expect(await typed('aß你👍')).toEqual(['a', 'ß', '你', '👍'].map(text));
  });

  it('comes whole where a character is cut', async () => {
    const bytes = Buffer.from('你');
    expect(await typed(bytes.subarray(0, 1), bytes.subarray(1))).toEqual([text('你')]);
  });

  it.each([
    ['\r', 'enter'],
    [`${ESC}\r`, 'new-line'],
    ['\t', 'next'],
    [`${ESC}[Z`, 'previous'],
    [`${ESC}[5~`, 'page-up'],
    ['\u0003', 'leave'],
    ['\u0017', 'kill-word'],
    [`${ESC}[1;5D`, 'word-left'],
    ['\u007f', 'backspace'],
  ] as const)('%j is %s', async (bytes, name) => {
    expect(await typed(bytes)).toEqual([named(name)]);
  });

  it('that is pasted is one text, with its lines, and without what controls a terminal', async () => {
    const pasted = `one\r\ntwo\u0007${ESC}[2J\rthree`;
    expect(await typed(`${ESC}[200~${pasted.slice(0, 6)}`, `${pasted.slice(6)}${ESC}[201~`, 'x')).toEqual([
      text('one\ntwo[2J\nthree'),
      text('x'),
    ]);
  });
});

describe('the input', () => {
  const line = (keys: readonly (Key | string)[], from: InputLine = emptyInput): InputLine =>
    keys.reduce<InputLine>((now, key) => edit(now, typeof key === 'string' ? text(key) : key) ?? now, from);
  const shown = ({ before, after }: InputLine): string => `${before}|${after}`;

  it.each<[string, (Key | string)[], string]>([
    ['takes what is typed where the cursor is', ['helo', named('left'), 'l'], 'hell|o'],
    ['goes over and deletes a family as one', ['👨‍👩‍👧é', named('left'), named('backspace')], '|é'],
    ['goes to its begin and its end', ['one two', named('home'), 'x', named('end'), 'y'], 'xone twoy|'],
    ['goes by words', ['one two  three', named('word-left'), named('word-left')], 'one |two  three'],
    ['cuts a word and puts it back', ['one two', named('kill-word'), named('home'), named('yank')], 'two|one '],
    ['cuts to the begin', ['one two', named('word-left'), named('kill-before')], '|two'],
    ['cuts to the end', ['one two', named('word-left'), named('kill-after')], 'one |'],
    ['has lines, and cuts within one', ['one', named('new-line'), 'two', named('kill-before')], 'one\n|'],
    ['goes up to the line above', ['one', named('new-line'), 'tw', named('up')], 'on|e\ntw'],
    ['goes down to the line below', ['one\ntwo', named('up'), named('down')], 'one\ntwo|'],
  ])('%s', (_what, keys, result) => {
    expect(shown(line(keys))).toBe(result);
  });

  it('recalls what was entered, and what was being typed after it', () => {
    const after = ['first', 'second'].reduce((now, one) => entered(line([one], now)), emptyInput);
    const half = line(['half'], after);
    expect(textOf(line([named('up')], half))).toBe('second');
    expect(textOf(line([named('up'), named('up'), named('up')], half))).toBe('first');
    expect(textOf(line([named('up'), named('up'), named('down'), named('down')], half))).toBe('half');
  });
});
