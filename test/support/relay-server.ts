import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRelay, type Relay, type RelayConfig } from '@waxwing/relay';
import { jsonSubprotocol, subprotocol, systemRuntime, type Form, type Runtime } from '@waxwing/protocol';
import type { Storage } from '@waxwing/storage';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { WebSocket } from 'ws';
import { createRelayDevice, testOrigin, type RelayDevice } from './relay-device.ts';

/** A relay on a free loopback port. */
export type RelayServer = {
  readonly relay: Relay;
  readonly url: string;
  readonly port: number;
  readonly metrics: Registry;
  /** A raw device on a real socket; resolves when the socket is open. */
  dial(o?: { form?: Form }): Promise<RelayDevice & { readonly socket: WebSocket }>;
  close(): Promise<void>;
};

export async function startRelay(
  storage: Storage,
  { config = {}, runtime = systemRuntime }: { config?: Partial<RelayConfig>; runtime?: Runtime } = {},
): Promise<RelayServer> {
  const metrics = new Registry();
  const relay = createRelay({
    storage,
    runtime,
    log: pino({ level: 'silent' }),
    metrics,
    config: { origins: [testOrigin], path: '/v1/relay', drainSpreadMs: 10_000, maxConnections: 1_000, ...config },
  });
  const server = createServer();
  server.on('upgrade', (request, socket, head) => relay.upgrade(request, socket, head));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `ws://127.0.0.1:${port}/v1/relay`;
  return {
    relay,
    url,
    port,
    metrics,
    dial: ({ form = 'binary' } = {}) => dial(url, form),
    async close() {
      await relay.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

async function dial(url: string, form: Form): Promise<RelayDevice & { socket: WebSocket }> {
  const socket = new WebSocket(url, form === 'binary' ? subprotocol : jsonSubprotocol);
  const { device, input } = createRelayDevice({
    form,
    send: (data) => socket.send(data, { binary: form === 'binary' }),
    end: () => socket.close(),
  });
  socket.on('message', (data: Buffer) => input.received(data));
  socket.on('close', (code, reason) => input.closed({ code, reason: reason.toString() }));
  socket.on('error', () => undefined);
  await Promise.race([once(socket, 'open'), device.ended]);
  return { ...device, socket };
}
