import { emitKeypressEvents, createInterface, type Key as Keypress } from 'node:readline';
import { PassThrough, type Readable } from 'node:stream';

/** What a key is for. */
export type KeyName = (typeof names)[keyof typeof names];

/** A key as the chat takes it: text that was typed, or pasted as a whole, or something to do. */
export type Key = { readonly type: 'text'; readonly text: string } | { readonly type: 'press'; readonly name: KeyName };

/** By modifiers and name, as Node calls them. */
const names = {
  return: 'enter',
  'alt-return': 'new-line',
  enter: 'new-line',
  left: 'left',
  'ctrl-b': 'left',
  right: 'right',
  'ctrl-f': 'right',
  'ctrl-left': 'word-left',
  'alt-left': 'word-left',
  'alt-b': 'word-left',
  'ctrl-right': 'word-right',
  'alt-right': 'word-right',
  'alt-f': 'word-right',
  home: 'home',
  'ctrl-a': 'home',
  end: 'end',
  'ctrl-e': 'end',
  up: 'up',
  down: 'down',
  backspace: 'backspace',
  delete: 'delete',
  'ctrl-d': 'delete-or-leave',
  'ctrl-u': 'kill-before',
  'ctrl-k': 'kill-after',
  'ctrl-w': 'kill-word',
  'alt-backspace': 'kill-word',
  'ctrl-y': 'yank',
  pageup: 'page-up',
  pagedown: 'page-down',
  'shift-up': 'line-up',
  'ctrl-up': 'line-up',
  'shift-down': 'line-down',
  'ctrl-down': 'line-down',
  'ctrl-home': 'oldest',
  'ctrl-end': 'newest',
  tab: 'next',
  'ctrl-n': 'next',
  'alt-down': 'next',
  'shift-tab': 'previous',
  'ctrl-p': 'previous',
  'alt-up': 'previous',
  'ctrl-r': 'retry',
  'ctrl-l': 'redraw',
  f1: 'help',
  escape: 'escape',
  'alt-escape': 'escape',
  'ctrl-c': 'leave',
} as const;

/** How long an escape waits to be the beginning of something longer. */
const ESCAPE_MS = 50;
const byName: Readonly<Record<string, KeyName | undefined>> = names;

/**
 * Calls back with each key that is typed into a terminal in raw mode. What is pasted comes as one text, where the terminal
 * says that it is pasted. The answer ends it.
 */
export function listenForKeys(stdin: Readable, take: (key: Key) => void): () => void {
  let pasted: string | undefined;
  const listener = (_text: string | undefined, key: Keypress): void => {
    if (key.name === 'paste-start') pasted = '';
    else if (key.name === 'paste-end') {
      if (pasted !== undefined && pasted !== '') take({ type: 'text', text: withoutControls(pasted) });
      pasted = undefined;
    } else if (pasted !== undefined) pasted += key.sequence ?? '';
    else {
      const taken = keyOf(key);
      if (taken) take(taken);
    }
  };
  // Only its patience is wanted of it.
  const patience = createInterface({ input: new PassThrough(), escapeCodeTimeout: ESCAPE_MS });
  emitKeypressEvents(stdin, patience);
  stdin.on('keypress', listener);
  return () => {
    stdin.off('keypress', listener);
    patience.close();
  };
}

function keyOf({ name, sequence, ctrl, meta, shift }: Keypress): Key | undefined {
  const isText = ctrl !== true && meta !== true && sequence !== undefined && !/\p{Cc}/u.test(sequence);
  if (isText) return { type: 'text', text: sequence };
  const modifiers = `${ctrl === true ? 'ctrl-' : ''}${meta === true ? 'alt-' : ''}${shift === true ? 'shift-' : ''}`;
  const known = byName[`${modifiers}${name ?? ''}`];
  return known && { type: 'press', name: known };
}

/** Line feeds of one kind, and no controls beside them and tabs: what is typed and pasted is sent as it is shown. */
function withoutControls(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(/[^\P{Cc}\n\t]/gu, '');
}
