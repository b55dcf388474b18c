import type { ConnectionState, HistoryItem, Message } from '@waxwing/client-core';
import { inPlainWords } from '../../failure.ts';
import { timeOf } from '../../transcript.ts';

type Hole = Extract<HistoryItem, { kind: 'hole' }>;

const whyMissing: Readonly<Record<Hole['reason'], string>> = {
  'in flight': 'on the way',
  expired: 'waited longer than a day at the server; asked for again',
  'over quota': 'the mailbox at the server was full; asked for again',
  undecryptable: 'this device cannot read it; asked for again',
  refused: 'what came was not what had been sent',
  'awaiting sender': 'not here yet; asked for',
  'unlisted device': 'from a device that the account does not list',
  lost: 'the server lost it; asked for again',
  removed: 'removed',
};

/** Why something is missing here. */
export function holeWords({ count, reason }: Hole): string {
  return `${count === 1 ? 'a message is' : `${count} messages are`} missing here: ${whyMissing[reason]}`;
}

const whyOffline: Readonly<Record<string, string | undefined>> = {
  heartbeat_lost: 'the server went silent',
  unanswered: 'the server does not answer',
  closed: 'the connection was closed',
  upgrade_refused: 'the server refused the connection',
  rate_limited: 'the server asks to wait',
  going_away: 'the server is stopping',
};

/** How the connection is, in one line; undefined where it is as it should be. */
export function connectionWords({ state, reason, retryAt }: ConnectionState): string | undefined {
  const next =
    retryAt === undefined ? '' : `; next try at ${timeOf(retryAt)}:${String(retryAt.getSeconds()).padStart(2, '0')}`;
  switch (state) {
    case 'online':
      return undefined;
    case 'offline':
      return `offline: ${offlineWords(reason)}${next}`;
    case 'connecting':
      return 'connecting…';
    case 'catching-up':
      return 'catching up…';
    case 'needs-auth':
      return `not connected: the server does not accept this device (${reason ?? 'token_rejected'})`;
    case 'displaced':
    case 'cloned':
      return `not connected: ${inPlainWords[state] ?? state}`;
    case 'closed':
      return 'closed';
  }
}

function offlineWords(reason: string | undefined): string {
  if (reason === undefined || reason === '') return 'the server does not answer';
  return whyOffline[reason] ?? reason;
}

const whyFailed: Readonly<Partial<Record<string, string>>> = {
  too_large: 'too long',
  unknown_user: 'nobody there',
  conflict: 'the server has something else in its place',
};

/** Why an own message was not sent, and what to press. */
export function failureWords(code: string): string {
  const why = whyFailed[code];
  return `not sent: ${why === undefined ? code : `${why} (${code})`}. Ctrl-R tries again`;
}

/** How far an own message is. */
export function markOf({ state }: Message['status'], colour: boolean): string {
  switch (state) {
    case 'queued':
      return '…';
    case 'sent':
      return '✓';
    case 'delivered':
      return '✓✓';
    case 'read':
      return colour ? '✓✓' : 'read';
    case 'failed':
      return '✗';
    case 'received':
      return '';
  }
}

const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const months = 'January February March April May June July August September October November December'.split(' ');

export function dayWords(at: Date): string {
  return `${weekdays[at.getDay()] ?? ''} ${at.getDate()} ${months[at.getMonth()] ?? ''} ${at.getFullYear()}`;
}

/** When something was, in at most six columns: the time, or the day if that is another one. */
export function shortTime(at: Date, now: Date): string {
  const isToday = at.toDateString() === now.toDateString();
  return isToday ? timeOf(at) : `${at.getDate()} ${months[at.getMonth()]?.slice(0, 3) ?? ''}`;
}
