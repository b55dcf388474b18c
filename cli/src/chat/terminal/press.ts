import type { HistoryItem } from '@waxwing/client-core';
import { printable } from '../../printable.ts';
import { commandOf } from './command.ts';
import { helpRows } from './help-page.ts';
import { edit, emptyInput, entered, textOf } from './input-line.ts';
import type { Key, KeyName } from './keys.ts';
import { panesOf } from './panes.ts';
import { step, type ChatState, type Effect, type Page, type Setting, type Step } from './state.ts';
import { inkOf, scrolled, viewOf } from './view.ts';

const NOTHING_OPEN = 'no conversation is open. Type: /open USER';

/** What a key does. */
export function press(state: ChatState, key: Key, setting: Setting): Step {
  if (key.type === 'press') {
    const done = doKey(state, key.name, setting);
    if (done) return done;
  }
  const input = edit(state.input, key);
  return step(input ? { ...state, input, notice: undefined } : state);
}

/** Undefined: the key is the input's. */
function doKey(state: ChatState, name: KeyName, setting: Setting): Step | undefined {
  const page = panesOf(state, setting).rows;
  if (state.page?.choice && textOf(state.input) === '') {
    const chosen = choose(state, state.page, name, page);
    if (chosen) return chosen;
  }
  switch (name) {
    case 'enter':
      return enter(state, setting);
    case 'page-up':
      return scroll(state, setting, page - 1);
    case 'page-down':
      return scroll(state, setting, 1 - page);
    case 'line-up':
      return scroll(state, setting, 1);
    case 'line-down':
      return scroll(state, setting, -1);
    case 'oldest':
      return scroll(state, setting, Number.MAX_SAFE_INTEGER);
    case 'newest':
      return toNewest(state);
    case 'next':
      return neighbour(state, 1);
    case 'previous':
      return neighbour(state, -1);
    case 'escape':
      return state.page ? step({ ...state, page: undefined }) : toNewest({ ...state, notice: undefined });
    case 'retry':
      return step(state, { type: 'retry' });
    case 'help':
      return step(withHelp(state, setting));
    case 'redraw':
      return step(state, { type: 'redraw' });
    case 'delete-or-leave':
      return textOf(state.input) === '' ? step(state, { type: 'leave' }) : undefined;
    case 'leave':
      return step(state, { type: 'leave' });
    default:
      return undefined;
  }
}

function enter(state: ChatState, setting: Setting): Step {
  const command = commandOf(textOf(state.input));
  // What was entered is gone from the line, and can be recalled.
  const done: ChatState = { ...state, input: entered(state.input), notice: undefined, page: undefined };
  switch (command.type) {
    case 'nothing':
      return step({ ...state, input: { ...emptyInput, entered: state.input.entered }, page: undefined });
    case 'say':
      if (!state.open) return step({ ...state, notice: NOTHING_OPEN });
      return toNewest(done, { type: 'send', text: command.text });
    case 'open':
      return open(done, command.user);
    case 'search':
      return step(done, { type: 'search', words: command.words });
    case 'safety':
    case 'verified':
      return done.open ? step(done, { type: command.type }) : step({ ...done, notice: NOTHING_OPEN });
    case 'explain':
      return explain(done);
    case 'retry':
      return step(done, { type: 'retry' });
    case 'me':
      return step({ ...done, notice: `you are ${setting.people.own}` });
    case 'help':
      return step(withHelp(done, setting));
    case 'leave':
      return step(done, { type: 'leave' });
    case 'wrong':
      return step({ ...state, notice: printable(command.why) });
  }
}

/** Up and down choose a row of a page, Enter goes where it leads. */
function choose(state: ChatState, page: Page, name: KeyName, height: number): Step | undefined {
  const { choice } = page;
  if (!choice) return undefined;
  if (name === 'enter') {
    const place = choice.places[choice.at];
    if (!place) return undefined;
    return step({ ...state, page: undefined }, { type: 'open', id: place.conversation, message: place.message });
  }
  if (name !== 'up' && name !== 'down') return undefined;
  const at = Math.max(0, Math.min(choice.places.length - 1, choice.at + (name === 'up' ? -1 : 1)));
  const from = Math.min(at, Math.max(page.from, at - height + 1));
  return step({ ...state, page: { ...page, from, choice: { ...choice, at } } });
}

/** What is asked about is the newest that is not as it should be; where all is well, the newest message. */
function explain(state: ChatState): Step {
  const items = state.open?.items ?? [];
  const isOdd = (item: HistoryItem): boolean => {
    if (item.kind !== 'message') return item.kind === 'hole';
    const { status } = item;
    return status.state === 'queued' || status.state === 'failed' || state.open?.late.has(item.id) === true;
  };
  const asked = items.findLast(isOdd) ?? items.findLast(({ kind }) => kind === 'message');
  return asked
    ? step(state, { type: 'explain', id: asked.id })
    : step({ ...state, notice: 'there is nothing to explain here' });
}

function open(state: ChatState, user: string): Step {
  if (!/^\d{1,4}$/.test(user))
    return step({ ...state, notice: `looking for ${printable(user)}…` }, { type: 'find', user });
  const known = state.conversations[Number(user) - 1];
  if (!known) return step({ ...state, notice: `there is no number ${user} in the list` });
  return step(state, { type: 'open', id: known.id });
}

function neighbour(state: ChatState, by: 1 | -1): Step {
  const { conversations, open } = state;
  const at = conversations.findIndex(({ id }) => id === open?.id);
  const count = conversations.length;
  const next = at < 0 ? (by > 0 ? 0 : count - 1) : (at + by + count) % count;
  const chosen = conversations[next];
  return chosen && chosen.id !== open?.id
    ? step({ ...state, page: undefined }, { type: 'open', id: chosen.id })
    : step(state);
}

function toNewest(state: ChatState, ...effects: Effect[]): Step {
  const { open } = state;
  if (!open) return step(state, ...effects);
  const back: Effect[] = open.hasNewer ? [{ type: 'to-newest' }] : [];
  return step({ ...state, open: { ...open, anchor: undefined } }, ...back, ...effects);
}

/** Moves what is seen, up if positive; asks for more of the history before its end is reached. */
function scroll(state: ChatState, setting: Setting, by: number): Step {
  const { open, page } = state;
  const { columns, rows } = panesOf(state, setting);
  if (page) {
    const last = Math.max(0, page.rows.length - rows);
    return step({ ...state, page: { ...page, from: Math.min(last, Math.max(0, page.from - by)) } });
  }
  if (!open) return step(state);
  const ink = inkOf(open, setting, columns);
  const moved = scrolled(open, ink, rows, by);
  const next = { ...state, open: moved };
  if (by > 0 && open.hasOlder && viewOf(scrolled(moved, ink, rows, rows), ink, rows).isAtTop) {
    return step(next, { type: 'load-older' });
  }
  if (by < 0 && open.hasNewer && moved.anchor === undefined) return step({ ...next, open }, { type: 'load-newer' });
  return step(next);
}

function withHelp(state: ChatState, setting: Setting): ChatState {
  const { columns } = panesOf(state, setting);
  return { ...state, page: { title: 'help', rows: helpRows(columns, setting.colour), from: 0 } };
}
