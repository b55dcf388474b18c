import type { Socket } from 'node:net';
import { STATUS_CODES } from 'node:http';
import { limits, type ErrorCode } from '@waxwing/protocol';
import { problemJson } from './refusal.ts';

/** How often Node looks for connections over their time: a tenth of the shortest limit, where its default is 30 s. */
const CHECK_EVERY_MS = limits.httpHeadersTimeoutMs / 10;

/** The limits of connections and requests, all set: the defaults of Node and fastify are wide or none. */
export const httpServerOptions = {
  bodyLimit: limits.httpBodyMaxBytes,
  requestTimeout: limits.httpRequestTimeoutMs,
  connectionTimeout: limits.httpConnectionTimeoutMs,
  handlerTimeout: limits.httpHandlerTimeoutMs,
  keepAliveTimeout: limits.httpConnectionTimeoutMs,
  maxRequestsPerSocket: limits.httpRequestsPerSocket,
  http: {
    maxHeaderSize: limits.httpHeaderMaxBytes,
    headersTimeout: limits.httpHeadersTimeoutMs,
    connectionsCheckingInterval: CHECK_EVERY_MS,
    insecureHTTPParser: false,
    requireHostHeader: true,
  },
} as const;

const connectionFaults: Readonly<Record<string, { status: number; code: ErrorCode }>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, code: 'unavailable' },
  HPE_HEADER_OVERFLOW: { status: 431, code: 'too_large' },
};

/** Answers what is no HTTP request, too late or too large in its headers, and ends the connection. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const { status, code } = connectionFaults[error.code ?? ''] ?? { status: 400, code: 'malformed' };
  if (socket.writable) {
    const body = JSON.stringify(problemJson(code, status));
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
      'Connection: close',
      'Content-Type: application/problem+json',
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  }
  socket.destroy();
}
