import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  errorRow,
  jsonSubprotocol,
  limits,
  subprotocol,
  type ErrorCode,
  type Form,
  type Runtime,
} from '@waxwing/protocol';
import type { DeviceKey, Storage } from '@waxwing/storage';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { WebSocketServer, type ServerOptions } from 'ws';
import { createClientAddress } from './client-address.ts';
import type { RelayConfig } from './config.ts';
import { createGateway } from './gateway.ts';
import { createMetrics, measureEventLoop, type Refusal } from './metrics.ts';
import { createRateLimit } from './rate-limit.ts';
import { DeviceSocket } from './socket.ts';

export type RelayDeps = {
  readonly storage: Storage;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly config: RelayConfig;
  /** Where the relay's metrics are registered. One relay to a registry. */
  readonly metrics: Registry;
};

/** A gateway on WebSockets. It owns no port: an HTTP server hands it the upgrades. */
export type Relay = {
  /**
   * Takes or refuses an upgrade; never throws. The `Origin` header is not looked at: nothing here rests on cookies or
   * anything else that a browser adds by itself, and a page without the device's key cannot answer the challenge.
   */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Refuses new connections, lets every device finish and sends it away. Resolves when all have ended. Idempotent. */
  drain(): Promise<void>;
  /** Ends everything at once. Idempotent. */
  close(): Promise<void>;
  readonly draining: boolean;
  /** Open sockets, authenticated or not. */
  connections(): number;
  /** Closes the connection of a device that left its list, if it has one here. */
  disconnect(device: DeviceKey, code: 'device_removed'): void;
  /** Whether devices can be served: not draining, and the store can write. Never rejects. */
  ready(): Promise<boolean>;
};

/** A little over the largest batch, so that one just over is told so by our own code; beyond it ws closes with 1009. */
const maxPayload = limits.batchMaxBytes + 4_096;

export function createRelay({ storage, runtime, log, config, metrics: registry }: RelayDeps): Relay {
  const metrics = createMetrics(registry);
  const { origins, drainSpreadMs } = config;
  const gateway = createGateway({ storage, runtime, log, metrics, origins, drainSpreadMs, endOfTurn: setImmediate });
  const addressOf = createClientAddress(config.trustProxy ?? []);
  const unauthenticated = createRateLimit(
    { burst: limits.unauthenticatedPerAddressBurst, refillMs: limits.unauthenticatedPerAddressRefillMs },
    runtime.clock,
  );
  const stopMeasuring = measureEventLoop(registry);
  // closeTimeout is an option of ws 8.23 that its types do not know yet.
  const options: ServerOptions<typeof DeviceSocket> & { closeTimeout: number } = {
    noServer: true,
    WebSocket: DeviceSocket,
    clientTracking: false,
    perMessageDeflate: false,
    skipUTF8Validation: false,
    maxPayload,
    maxFragments: limits.batchMaxFragments,
    maxBufferedChunks: limits.batchMaxChunks,
    closeTimeout: limits.closeTimeoutMs,
    handleProtocols: (offered) => formOf(offered)?.protocol ?? false,
  };
  const server = new WebSocketServer(options);

  const refuse = (socket: Duplex, reason: Refusal): void => {
    metrics.refused(reason);
    socket.once('finish', () => socket.destroy());
    socket.end(refusals[reason]);
  };

  // Else ws answers a bad handshake by itself, without a code.
  server.on('wsClientError', (_error, socket) => refuse(socket, 'handshake'));

  return {
    upgrade(request, socket, head) {
      socket.on('error', destroy);
      if (pathOf(request) !== config.path) {
        refuse(socket, 'path');
        return;
      }
      if (gateway.draining) {
        refuse(socket, 'draining');
        return;
      }
      if (gateway.connections() >= config.maxConnections) {
        refuse(socket, 'full');
        return;
      }
      const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
      const chosen = formOf(new Set(offered));
      if (!chosen) {
        refuse(socket, 'protocol');
        return;
      }
      const address = addressOf(request);
      if (unauthenticated.take(address) > 0) {
        refuse(socket, 'address_limit');
        return;
      }
      server.handleUpgrade(request, socket, head, (ws) =>
        ws.serve(chosen.form, log, (channel) => gateway.connect(channel, () => unauthenticated.giveBack(address))),
      );
    },
    drain: () => gateway.drain(),
    async close() {
      stopMeasuring();
      await gateway.close();
      server.close();
    },
    get draining() {
      return gateway.draining;
    },
    connections: () => gateway.connections(),
    disconnect: (device, code) => gateway.disconnect(device, code),
    async ready() {
      if (gateway.draining) return false;
      try {
        await storage.mailboxes.check();
        return true;
      } catch {
        return false;
      }
    },
  };
}

function formOf(offered: ReadonlySet<string>): { protocol: string; form: Form } | undefined {
  if (offered.has(subprotocol)) return { protocol: subprotocol, form: 'binary' };
  if (offered.has(jsonSubprotocol)) return { protocol: jsonSubprotocol, form: 'json' };
  return undefined;
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

function destroy(this: Duplex): void {
  this.destroy();
}

const refusals: Readonly<Record<Refusal, string>> = {
  path: refusal('404 Not Found', 'unknown_route'),
  draining: refusal('503 Service Unavailable', 'unavailable', 5),
  full: refusal('503 Service Unavailable', 'unavailable', 30),
  handshake: refusal('400 Bad Request', 'malformed'),
  protocol: refusal('400 Bad Request', 'unsupported_version'),
  address_limit: refusal('429 Too Many Requests', 'rate_limited', limits.unauthenticatedPerAddressRefillMs / 1_000),
};

/** A whole HTTP answer, ending the connection. */
function refusal(status: string, code: ErrorCode, retryAfterSeconds?: number): string {
  const row = errorRow(code);
  const body = JSON.stringify({
    type: 'about:blank',
    title: row.meaning,
    status: Number.parseInt(status, 10),
    code,
    retryable: row.retry === 'retry',
  });
  const head = [
    `HTTP/1.1 ${status}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(retryAfterSeconds === undefined ? [] : [`Retry-After: ${retryAfterSeconds}`]),
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
