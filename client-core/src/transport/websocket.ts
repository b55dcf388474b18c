import { downBatchMaxBytes, limits, subprotocol } from '@waxwing/protocol';
import { WebSocket, type ClientOptions } from 'ws';
import type { Dial } from './channel.ts';
import { parseRetryAfter } from './retry-after.ts';

/** `closeTimeout` is an option of ws that its published types lack. */
type Options = ClientOptions & { readonly closeTimeout: number };

const options: Options = {
  perMessageDeflate: false,
  followRedirects: false,
  handshakeTimeout: limits.requestTimeoutMs,
  closeTimeout: limits.closeTimeoutMs,
  maxPayload: downBatchMaxBytes,
  maxFragments: limits.batchMaxFragments,
  maxBufferedChunks: limits.batchMaxChunks,
};

/** Close reasons for an upgrade that was answered with an HTTP status instead. */
const refusals: Readonly<Record<number, string>> = { 429: 'rate_limited', 503: 'unavailable' };

/** Connects over ws. Text messages, which no relay sends, end the connection. Throws where the URL is none. */
export function createWebSocketDial(): Dial {
  return (url, handlers) => {
    const socket = new WebSocket(url, subprotocol, options);
    let refused: { readonly reason: string; readonly retryAfterMs?: number } | undefined;
    socket.on('open', () => handlers.opened());
    socket.on('message', (data, isBinary) => {
      if (isBinary && Buffer.isBuffer(data)) handlers.received(data);
      else socket.terminate();
    });
    socket.on('unexpected-response', (_request, { statusCode, headers }) => {
      const retryAfterMs = parseRetryAfter(headers['retry-after']);
      const reason = refusals[statusCode ?? 0] ?? 'upgrade_refused';
      refused = { reason, ...(retryAfterMs !== undefined && { retryAfterMs }) };
      socket.terminate();
    });
    // Its cause is of no use to a client that tries again; `close` follows.
    socket.on('error', () => undefined);
    socket.on('close', (code, reason) => handlers.closed({ code, reason: reason.toString(), ...refused }));
    return {
      send(bytes) {
        if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
      },
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
      close() {
        socket.close(1000);
      },
    };
  };
}
