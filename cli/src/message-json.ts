import type { HistoryItem, InboxMessage, Message } from '@waxwing/client-core';

/** An incoming message as `tail` prints it. */
export function inboxJson(message: InboxMessage): object {
  const { redelivered, late } = message;
  return { ...common(message), redelivered, late };
}

/** A line of a history: a message, a hole, or an alert. */
export function historyJson(item: HistoryItem): object {
  if (item.kind === 'hole') {
    const { kind, count, reason, range } = item;
    return { kind, count, reason, range };
  }
  if (item.kind === 'alert') {
    const { kind, account, device, what, time } = item;
    return { kind, account, ...(device && { device }), what, time: time.toISOString() };
  }
  const { status, sentAt } = item;
  return {
    kind: item.kind,
    ...common(item),
    sentAt: sentAt.toISOString(),
    status: status.state,
    ...(status.state === 'failed' && { code: status.code }),
  };
}

function common({ id, from, text, replyTo, sequence, serverTime }: Message): object {
  return { id, from, text: text ?? null, ...(replyTo && { replyTo }), sequence, serverTime: serverTime.toISOString() };
}
