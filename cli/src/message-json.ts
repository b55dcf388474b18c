import type { HistoryItem, InboxMessage, Message, SearchHit } from '@waxwing/client-core';

/** An incoming message as `tail` prints it. */
export function inboxJson(message: InboxMessage): object {
  const { redelivered, late } = message;
  return { ...common(message), redelivered, late };
}

/** A line of a history: a message, a hole, or an alert. */
export function historyJson(item: HistoryItem): object {
  if (item.kind === 'hole') {
    const { kind, id, count, reason, range } = item;
    return { kind, id, count, reason, range };
  }
  if (item.kind === 'alert') {
    const { kind, account, device, what, time } = item;
    return { kind, account, ...(device && { device }), what, time: time.toISOString() };
  }
  return { kind: item.kind, ...whole(item) };
}

/** A message that was found: which conversation it is in, all of it, and the stretch around what was found. */
export function hitJson({ message, snippet }: SearchHit): object {
  return { conversation: message.conversation, ...whole(message), snippet };
}

function whole(message: Message): object {
  const { status, sentAt } = message;
  return {
    ...common(message),
    sentAt: sentAt.toISOString(),
    status: status.state,
    ...(status.state === 'failed' && { code: status.code }),
  };
}

function common({ id, from, text, replyTo, sequence, serverTime }: Message): object {
  return { id, from, text: text ?? null, ...(replyTo && { replyTo }), sequence, serverTime: serverTime.toISOString() };
}
