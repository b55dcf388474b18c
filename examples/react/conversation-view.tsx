import { useMemo } from 'react';
import type { Conversation, ConnectionState, HistoryItem, Observable } from '@waxwing/client-core';
import { useLive } from './use-live.ts';

const marks = { queued: '…', sent: '✓', delivered: '✓✓', read: '✓✓ read', received: '', failed: '! not sent' } as const;

function Row({ item }: { readonly item: HistoryItem }) {
  switch (item.kind) {
    case 'message':
      return (
        <li>
          {item.text ?? 'A message that this version cannot show'} {marks[item.status.state]}
        </li>
      );
    case 'hole':
      return (
        <li>
          {item.count} missing: {item.reason}
        </li>
      );
    case 'alert':
      return <li>Security: {item.what}</li>;
  }
}

/** A conversation that follows the device's history, with the state of the connection above it. */
export function ConversationView(props: {
  readonly conversation: Conversation;
  readonly connection: Observable<ConnectionState>;
}) {
  const { conversation, connection } = props;
  const history = useLive(useMemo(() => conversation.history(), [conversation]));
  const { state } = useLive(connection);
  return (
    <section>
      <h1>{state}</h1>
      <ol>
        {history.items.map((item) => (
          <Row key={item.id} item={item} />
        ))}
      </ol>
    </section>
  );
}
