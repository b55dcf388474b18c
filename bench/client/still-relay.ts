import { randomBytes } from 'node:crypto';
import {
  decodeUpBatch,
  encodeDownBatch,
  limits,
  parseEra,
  type Deliver,
  type Down,
  type Sequence,
  type Up,
} from '@waxwing/protocol';
import type { Dial } from '@waxwing/client-core';

/**
 * A relay that costs next to nothing: it hands out the mail that it is given as fast as the window allows, and accepts
 * each submit at once. Keeps and checks nothing.
 */
export function createStillRelay(mail: readonly Deliver[], serverTimeMs: number): Dial {
  return (_url, handlers) => {
    let isOpen = true;
    let next = 0;
    let acked = 0;
    let unackedBytes = 0;
    let isDrained = false;
    const heads = new Map<string, Sequence>();
    const say = (messages: readonly Down[]): void => {
      if (messages.length === 0) return;
      const bytes = encodeDownBatch(messages);
      setImmediate(() => {
        if (isOpen) handlers.received(bytes);
      });
    };

    const deliver = (): Down[] => {
      const batch: Down[] = [];
      for (let item = mail[next]; item && batch.length < limits.batchMaxMessages; item = mail[next]) {
        if (unackedBytes > 0 && unackedBytes + item.envelope.length > limits.deliverWindowBytes) break;
        unackedBytes += item.envelope.length;
        batch.push(item);
        next += 1;
      }
      if (next === mail.length && !isDrained) {
        isDrained = true;
        batch.push({ type: 'drained' });
      }
      return batch;
    };

    const take = (up: Up): Down[] => {
      switch (up.type) {
        case 'authenticate': {
          const incarnation = mail[0]?.position.incarnation ?? up.committed?.incarnation ?? 'AAAAAAAAAAA';
          return [{ type: 'ready', incarnation, mailboxRestarted: false, prekeysLow: false, marks: [] }, ...deliver()];
        }
        case 'ack':
          for (let item = mail[acked]; item && item.position.number <= up.committed.number; item = mail[acked]) {
            unackedBytes -= item.envelope.length;
            acked += 1;
          }
          return deliver();
        case 'submit': {
          // A conversation goes on where the device knows it to stand.
          const last = heads.get(up.handle) ?? up.floor ?? { era: parseEra(serverTimeMs), number: 0 };
          const sequence = { era: last.era, number: last.number + 1 };
          heads.set(up.handle, sequence);
          const { request, n, attempt } = up;
          return [{ type: 'accepted', request, duplicate: false, n, attempt, sequence, serverTimeMs }];
        }
        case 'direct_submit': {
          const { request, attempt } = up;
          return [{ type: 'accepted', request, duplicate: false, n: 0, attempt, serverTimeMs }];
        }
        case 'heads':
          return [{ type: 'heads_reply', request: up.request, heads: up.handles.map((handle) => ({ handle })) }];
        case 'entries':
          return [{ type: 'entries_reply', request: up.request, entries: [] }];
        case 'heartbeat':
          return [{ type: 'heartbeat' }];
      }
    };

    setImmediate(() => {
      handlers.opened();
      const { batchMaxBytes, ciphertextMaxBytes, windowPerHandle, windowInAll, heartbeatMs } = limits;
      say([
        {
          type: 'challenge',
          nonce: randomBytes(32),
          serverTimeMs,
          versions: [1],
          limits: { batchMaxBytes, ciphertextMaxBytes, windowPerHandle, windowInAll, heartbeatMs },
        },
      ]);
    });
    return {
      send: (bytes) => say(decodeUpBatch(bytes).flatMap(take)),
      bufferedBytes: 0,
      close() {
        if (!isOpen) return;
        isOpen = false;
        setImmediate(() => handlers.closed({ code: 1000, reason: 'closed' }));
      },
    };
  };
}
