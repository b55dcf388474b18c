import type { ConversationSummary } from '@waxwing/client-core';
import { cells, fit } from '../cells.ts';
import { isToBeRead } from './come.ts';
import { span, type Row, type Span } from './row.ts';
import type { ChatState, Setting } from './state.ts';
import { markOf, shortTime } from './wording.ts';

/** More unread messages are not told apart. */
const MOST_COUNTED = 999;

/** The list of conversations, as much of it as there is room for, with the open one in it. */
export function listRows(state: ChatState, setting: Setting, columns: number, height: number): Row[] {
  const { conversations, open } = state;
  if (conversations.length === 0) return [[span(' no conversations', 'dim')]].slice(0, height);
  const chosen = Math.max(
    0,
    conversations.findIndex(({ id }) => id === open?.id),
  );
  const from = Math.max(0, Math.min(chosen - Math.floor(height / 2), conversations.length - height));
  return conversations.slice(from, from + height).map((summary) => summaryRow(summary, state, setting, columns));
}

/** Who it is with, on the right what is new or who wrote last, and when. */
function summaryRow(summary: ConversationSummary, state: ChatState, setting: Setting, columns: number): Row {
  const { people } = setting;
  const isOpen = summary.id === state.open?.id;
  const time = summary.lastMessage ? shortTime(summary.activeAt, state.now).padStart(6) : '';
  // What is seen is read in a moment.
  const about = aboutLast(isOpen && isToBeRead(state) ? { ...summary, unread: 0 } : summary, setting);
  const name = fit(people.nameOf(summary.peer), columns - 2 - cells(about.text) - cells(time) - 1);
  return [
    span(isOpen ? '›' : ' ', 'chosen'),
    span(name, isOpen ? 'chosen' : 'plain'),
    span(' '),
    about,
    span(time, 'dim'),
    span(' '),
  ];
}

function aboutLast({ lastMessage, peer, unread }: ConversationSummary, { people, colour }: Setting): Span {
  if (unread > 0) return span(`${unread > MOST_COUNTED ? `${MOST_COUNTED}+` : unread} new`, 'new');
  if (!lastMessage) return span('nothing yet', 'dim');
  if (lastMessage.from === peer && peer !== people.own) return span('them', 'dim');
  const mark = markOf(lastMessage.status, colour);
  return span(mark === '' ? 'me' : `me ${mark}`, lastMessage.status.state === 'failed' ? 'bad' : 'dim');
}
