import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeUpBatch, downBatchMaxBytes, encodeDownBatch, subprotocol } from '@waxwing/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { systemRuntime } from '../../../../client-core/src/system-runtime.ts';
import type { Channel } from '../../../../client-core/src/transport/channel.ts';
import { createRelayLink } from '../../../../client-core/src/transport/relay-link.ts';
import { createWebSocketDial } from '../../../../client-core/src/transport/websocket.ts';
import { Scene, accepted, deliver, ready, submit } from './fake-relay.ts';

const opened: { close(): void }[] = [];
afterEach(() => {
  for (const server of opened.splice(0)) server.close();
});

async function listen(server: Server): Promise<string> {
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  opened.push({ close: () => server.closeAllConnections() }, server);
  const { port } = server.address() as AddressInfo;
  return `ws://127.0.0.1:${port}/v1/relay`;
}

/** A server that takes upgrades, and a promise of its first connection. */
async function relay(): Promise<{ url: string; connected: Promise<WebSocket> }> {
  const server = createServer();
  const sockets = new WebSocketServer({
    server,
    perMessageDeflate: true,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });
  opened.push(sockets);
  const connected = new Promise<WebSocket>((connect) => sockets.once('connection', connect));
  return { url: await listen(server), connected };
}

type End = { readonly code: number; readonly reason: string; readonly retryAfterMs?: number };

/** Dials, and gathers what the handlers are told. */
function dialled(url: string) {
  const received: Buffer[] = [];
  let channel: Channel | undefined;
  let open: (channel: Channel) => void;
  const isOpen = new Promise<Channel>((resolve) => (open = resolve));
  const ended = new Promise<End>((closed) => {
    channel = createWebSocketDial()(url, {
      opened: () => open(channel!),
      received: (bytes) => received.push(Buffer.from(bytes)),
      closed,
    });
  });
  return { received, isOpen, ended };
}

describe('a WebSocket channel', () => {
  test('speaks waxwing.v1 without compression, and carries binary both ways', async () => {
    const { url, connected } = await relay();
    const { received, isOpen, ended } = dialled(url);
    const [socket, channel] = await Promise.all([connected, isOpen]);
    expect([socket.protocol, socket.extensions]).toEqual([subprotocol, '']);
    const arrived = new Promise<Buffer>((message) => socket.once('message', (data: Buffer) => message(data)));
    channel.send(Uint8Array.of(1, 2, 3));
    expect(await arrived).toEqual(Buffer.of(1, 2, 3));
    socket.send(Buffer.alloc(downBatchMaxBytes, 9));
    socket.close(4303, 'displaced');
    expect(await ended).toEqual({ code: 4303, reason: 'displaced' });
    expect(received).toEqual([Buffer.alloc(downBatchMaxBytes, 9)]);
    channel.send(Uint8Array.of(4));
    channel.close();
  });

  test('ends over a message above the limit and over text', async () => {
    for (const message of [Buffer.alloc(downBatchMaxBytes + 1), 'text']) {
      const { url, connected } = await relay();
      const { received, ended } = dialled(url);
      (await connected).send(message);
      await ended;
      expect(received).toEqual([]);
    }
  });

  test('closes when asked', async () => {
    const { url, connected } = await relay();
    const { isOpen, ended } = dialled(url);
    const closed = connected.then((socket) => new Promise((close) => socket.once('close', close)));
    (await isOpen).close();
    expect(await closed).toBe(1000);
    expect(await ended).toMatchObject({ code: 1000 });
  });

  test.each([
    [503, '7', { reason: 'unavailable', retryAfterMs: 7_000 }],
    [429, '1', { reason: 'rate_limited', retryAfterMs: 1_000 }],
    [503, 'Wed, 21 Oct 2026 07:28:00 GMT', { reason: 'unavailable' }],
    [404, undefined, { reason: 'upgrade_refused' }],
  ])('tells how an upgrade was refused: %i, Retry-After %s', async (status, retryAfter, end) => {
    const server = createServer();
    server.on('upgrade', (_request, socket) => {
      const header = retryAfter === undefined ? '' : `Retry-After: ${retryAfter}\r\n`;
      socket.end(`HTTP/1.1 ${status} No\r\n${header}Content-Length: 0\r\n\r\n`);
    });
    const { ended } = dialled(await listen(server));
    expect(await ended).toEqual({ code: 1006, ...end });
  });

  test('ends where nobody listens', async () => {
    const server = createServer();
    const url = await listen(server);
    await new Promise((closed) => server.close(closed));
    expect(await dialled(url).ended).toMatchObject({ code: 1006 });
  });

  test('refuses a server that does not speak the subprotocol', async () => {
    const server = createServer();
    opened.push(new WebSocketServer({ server, handleProtocols: () => false }));
    expect(await dialled(await listen(server)).ended).toMatchObject({ code: 1006 });
  });
});

test('a link over a real socket connects, drains, submits and is told', async () => {
  const { url, connected } = await relay();
  const runtime = systemRuntime();
  const scene = new Scene();
  let tell: (text: string) => void = () => undefined;
  const told = new Promise<string>((resolve) => (tell = resolve));
  const nothing = () => undefined;
  const link = createRelayLink({
    url,
    dial: runtime.dial,
    runtime,
    answer: scene.answer,
    committed: nothing,
    events: {
      stateChanged: nothing,
      ready: nothing,
      delivered: (deliveries) => tell(`delivered ${deliveries.length}`),
      marked: nothing,
      drained: nothing,
      prekeysLow: nothing,
      mailboxRestarted: nothing,
    },
  });
  link.start();
  const socket = await connected;
  socket.on('message', (data: Buffer) => {
    for (const up of decodeUpBatch(data)) {
      if (up.type === 'authenticate')
        socket.send(encodeDownBatch([ready(), deliver(1), deliver(2), { type: 'drained' }]));
      if (up.type === 'submit') socket.send(encodeDownBatch([accepted(up.request, up.n)]));
    }
  });
  socket.send(encodeDownBatch([scene.challenge()]));
  expect(await told).toBe('delivered 2');
  expect(link.state).toEqual({ type: 'live' });
  expect(await Promise.all([1, 2, 3].map((n) => link.submit(submit(n))))).toMatchObject([{ n: 1 }, { n: 2 }, { n: 3 }]);
  link.stop();
  expect(link.state).toEqual({ type: 'stopped', reason: 'closed' });
  await new Promise((closed) => socket.once('close', closed));
});
