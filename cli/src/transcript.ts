import type { HistoryItem, Message, MessageStatus, SearchHit } from '@waxwing/client-core';
import { isAccountId, type AccountId } from '@waxwing/protocol';
import type { Names } from './names.ts';
import { printable } from './printable.ts';

/** Who is who in a transcript. */
export type People = { readonly own: AccountId; readonly nameOf: (account: AccountId) => string };

/** People by the usernames that were typed here, or else by the beginning of their account. */
export function peopleOf(own: AccountId, names: Names): People {
  return { own, nameOf: (account) => names.username(account) ?? shortAccount(account) };
}

/** The day of a message, and its time, by this machine's zone. */
export function dayOf(at: Date): string {
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

export function timeOf(at: Date): string {
  return `${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** How far an own message is, in two columns; two spaces for one of others. */
function markOf(status: MessageStatus): string {
  switch (status.state) {
    case 'queued':
      return '… ';
    case 'sent':
      return '✓ ';
    case 'delivered':
      return '✓✓';
    case 'read':
      return '◉◉';
    case 'failed':
      return '✗ ';
    case 'received':
      return '  ';
  }
}

const TEXT_INDENT = 9;

/**
 * A message as a person reads it: time, mark, name and text; further lines of the text stand under the first. The text
 * is made harmless to a terminal.
 */
export function messageLines(message: Message, { own, nameOf }: People): string[] {
  const name = message.from === own ? 'me' : nameOf(message.from);
  const text = message.text === undefined ? '(a message that this version cannot show)' : printable(message.text);
  const [first = '', ...more] = text.split('\n');
  const { status } = message;
  const failed = status.state === 'failed' ? `  (not sent: ${status.code})` : '';
  const head = `${timeOf(message.serverTime)} ${markOf(status)} ${name}: `;
  return [`${head}${first}${more.length === 0 ? failed : ''}`, ...more.map((line) => ' '.repeat(TEXT_INDENT) + line)];
}

export function holeLine({ count, reason }: Extract<HistoryItem, { kind: 'hole' }>): string {
  return `      ── ${count === 1 ? 'a message is' : `${count} messages are`} missing here: ${reason} ──`;
}

/** An alert as a person reads it. */
export function alertLine({ account, what }: Extract<HistoryItem, { kind: 'alert' }>, { own, nameOf }: People): string {
  return `      !! ${account === own ? 'this account' : nameOf(account)}: ${printable(what)} !!`;
}

/** A message that was found, in one line. */
export function hitLine({ message, snippet }: SearchHit, { own, nameOf }: People): string {
  const { conversation, from, serverTime, status } = message;
  const peer = conversation.replace(/^direct:/, '');
  const name = from !== own ? nameOf(from) : isAccountId(peer) ? `me to ${nameOf(peer)}` : 'me';
  const text = printable(snippet.map((part) => part.text).join('')).replaceAll('\n', ' ');
  return `${dayOf(serverTime)} ${timeOf(serverTime)} ${markOf(status)} ${name}: ${text}`;
}

/** A stretch of a history with a line for each new day. */
export function transcript(items: readonly HistoryItem[], people: People): string[] {
  let day = '';
  return items.flatMap((item) => {
    if (item.kind === 'hole') return [holeLine(item)];
    if (item.kind === 'alert') return [alertLine(item, people)];
    const today = dayOf(item.serverTime);
    const heading = today === day ? [] : [`── ${today} ──`];
    day = today;
    return [...heading, ...messageLines(item, people)];
  });
}

/** An account without a name, short enough for a line. */
export function shortAccount(account: AccountId): string {
  return account.slice(0, 8);
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
