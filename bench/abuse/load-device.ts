import { decodeDownBatch, decodeEnvelope, encodeUpBatch, subprotocol, type Down, type Up } from '@waxwing/protocol';
import { WebSocket } from 'ws';
import type { TestDevice } from '../../test/support/relay-account.ts';
import { authenticateMessage } from '../../test/support/relay-device.ts';

/** What a device of the load does with what comes. */
export type LoadHandlers = {
  readonly ready?: () => void;
  readonly delivered?: (ciphertext: Uint8Array, number: number) => void;
  readonly answered?: (down: Extract<Down, { type: 'accepted' | 'rejected' }>) => void;
  readonly drained?: () => void;
};

/** A device on a socket that keeps nothing: it acks what it gets, and tells its handlers. */
export type LoadDevice = {
  readonly socket: WebSocket;
  say(...ups: Up[]): void;
};

/** `stops`: reads nothing any more from the moment that it has proved who it is. */
export function dialLoad(
  url: string,
  as: TestDevice,
  handlers: LoadHandlers,
  o: { readonly stops?: boolean; readonly localAddress?: string } = {},
): LoadDevice {
  const socket = new WebSocket(url, subprotocol, o.localAddress === undefined ? {} : { localAddress: o.localAddress });
  const say = (...ups: Up[]): void => {
    if (socket.readyState === WebSocket.OPEN) socket.send(encodeUpBatch(ups));
  };
  const handle = (down: Down): void => {
    switch (down.type) {
      case 'challenge':
        say(authenticateMessage(as, down));
        if (o.stops) socket.pause();
        return;
      case 'ready':
        handlers.ready?.();
        return;
      case 'accepted':
      case 'rejected':
        handlers.answered?.(down);
        return;
      case 'heartbeat':
        say({ type: 'heartbeat' });
        return;
      case 'drained':
        handlers.drained?.();
        return;
      case 'deliver': {
        const envelope = decodeEnvelope(down.envelope);
        handlers.delivered?.(envelope.ciphertext, down.position.number);
        return;
      }
      default:
        return;
    }
  };
  socket.on('message', (data: Buffer) => {
    const downs = decodeDownBatch(data);
    for (const down of downs) handle(down);
    const last = downs.findLast((down) => down.type === 'deliver');
    if (last) say({ type: 'ack', committed: last.position });
  });
  socket.on('error', () => undefined);
  return { socket, say };
}
