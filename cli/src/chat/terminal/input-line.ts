import { graphemes } from '../cells.ts';
import type { Key } from './keys.ts';

/** What is being typed: before the cursor and behind it. What was cut last can be put back. */
export type InputLine = {
  readonly before: string;
  readonly after: string;
  readonly cut: string;
  /** What was entered before, the newest last. */
  readonly entered: readonly string[];
  /** Which of them is shown, counted from the newest, and what stood there before it; undefined while none is. */
  readonly recalled: { readonly back: number; readonly draft: string } | undefined;
};

export const emptyInput: InputLine = { before: '', after: '', cut: '', entered: [], recalled: undefined };

const MOST_ENTERED = 100;

export function textOf({ before, after }: InputLine): string {
  return before + after;
}

/** The same line with another text, the cursor behind it. */
export function withText(line: InputLine, text: string): InputLine {
  return { ...line, before: text, after: '', recalled: undefined };
}

/** An empty line again, that can recall what stood in it. */
export function entered(line: InputLine): InputLine {
  const text = textOf(line);
  const others = line.entered.filter((one) => one !== text);
  return { ...withText(line, ''), entered: [...others, text].slice(-MOST_ENTERED) };
}

/** What a key makes of the line; undefined where the key is not for it. */
export function edit(line: InputLine, key: Key): InputLine | undefined {
  const { before, after } = line;
  if (key.type === 'text') return changed(line, before + key.text, after);
  switch (key.name) {
    case 'new-line':
      return changed(line, `${before}\n`, after);
    case 'left':
      return moved(line, before.length - lastOf(before).length);
    case 'right':
      return moved(line, before.length + firstOf(after).length);
    case 'word-left':
      return moved(line, wordStart(before));
    case 'word-right':
      return moved(line, before.length + (/^\s*\S*/.exec(after)?.[0].length ?? 0));
    case 'home':
      return moved(line, before.lastIndexOf('\n') + 1);
    case 'end':
      return moved(line, before.length + lineEnd(after));
    case 'backspace':
      return changed(line, before.slice(0, before.length - lastOf(before).length), after);
    case 'delete':
    case 'delete-or-leave':
      return changed(line, before, after.slice(firstOf(after).length));
    case 'kill-before':
      return cutOut(line, before.slice(0, before.lastIndexOf('\n') + 1), after, before);
    case 'kill-after':
      return cutOut(line, before, after.slice(lineEnd(after)), after);
    case 'kill-word':
      return cutOut(line, before.slice(0, wordStart(before)), after, before);
    case 'yank':
      return changed(line, before + line.cut, after);
    case 'up':
      return before.includes('\n') ? moved(line, rowAbove(before)) : recall(line, (line.recalled?.back ?? -1) + 1);
    case 'down':
      return after.includes('\n')
        ? moved(line, before.length + rowBelow(before, after))
        : recall(line, (line.recalled?.back ?? -1) - 1);
    default:
      return undefined;
  }
}

function changed(line: InputLine, before: string, after: string): InputLine {
  return { ...line, before, after, recalled: undefined };
}

function moved(line: InputLine, to: number): InputLine {
  const text = textOf(line);
  return { ...line, before: text.slice(0, to), after: text.slice(to) };
}

function cutOut(line: InputLine, before: string, after: string, from: string): InputLine {
  const length = textOf(line).length - before.length - after.length;
  const cut = from === line.before ? from.slice(from.length - length) : from.slice(0, length);
  return { ...changed(line, before, after), cut: cut === '' ? line.cut : cut };
}

function recall(line: InputLine, back: number): InputLine {
  const draft = line.recalled?.draft ?? textOf(line);
  if (back < 0) return line.recalled ? withText(line, draft) : line;
  const text = line.entered.at(-1 - back);
  return text === undefined ? line : { ...line, before: text, after: '', recalled: { back, draft } };
}

function lastOf(text: string): string {
  return graphemes(text.slice(-MOST_UNITS)).at(-1) ?? '';
}

function firstOf(text: string): string {
  return graphemes(text.slice(0, MOST_UNITS))[0] ?? '';
}

/** No grapheme that people type is longer. */
const MOST_UNITS = 64;

function wordStart(before: string): number {
  return before.length - (/\S*\s*$/.exec(before)?.[0].length ?? 0);
}

function lineEnd(after: string): number {
  const end = after.indexOf('\n');
  return end < 0 ? after.length : end;
}

/** Where the same place is in the line above. */
function rowAbove(before: string): number {
  const start = before.lastIndexOf('\n') + 1;
  const above = before.lastIndexOf('\n', start - 2) + 1;
  return Math.min(above + before.length - start, start - 1);
}

/** How far it is to the same place in the line below. */
function rowBelow(before: string, after: string): number {
  const column = before.length - before.lastIndexOf('\n') - 1;
  const start = lineEnd(after) + 1;
  return Math.min(start + column, start + lineEnd(after.slice(start)));
}
