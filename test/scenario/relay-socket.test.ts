import { once } from 'node:events';
import { connect } from 'node:net';
import { decodeEnvelope, encodeUpBatch, jsonSubprotocol, limits, subprotocol, systemRuntime } from '@waxwing/protocol';
import { createMemoryStorage, type Storage } from '@waxwing/storage';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { registerAccount } from '../support/relay-account.ts';
import { bodyFor, submitMessage, testHandle } from '../support/relay-device.ts';
import { startRelay, type RelayServer } from '../support/relay-server.ts';

const runtime = systemRuntime;
const servers: RelayServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function relay(o?: Parameters<typeof startRelay>[1], wrap = (storage: Storage) => storage) {
  const storage = createMemoryStorage({ runtime });
  const server = await startRelay(wrap(storage), o);
  servers.push(server);
  const account = async (devices = 1) => (await registerAccount({ storage, runtime }, { devices })).devices;
  return { server, storage, account };
}

/** What an upgrade with these headers is answered before there is a WebSocket. */
async function upgrade(port: number, o: { path?: string; protocol?: string; forwarded?: string } = {}) {
  const socket = connect(port, '127.0.0.1');
  const headers = [
    `GET ${o.path ?? '/v1/relay'} HTTP/1.1`,
    'Host: relay.test',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    `Sec-WebSocket-Protocol: ${o.protocol ?? subprotocol}`,
    ...(o.forwarded === undefined ? [] : [`X-Forwarded-For: ${o.forwarded}`]),
  ];
  socket.write(`${headers.join('\r\n')}\r\n\r\n`);
  const [first] = (await once(socket, 'data')) as [Buffer];
  const text = first.toString('latin1');
  const status = Number(text.slice(9, 12));
  return { status, text, end: () => socket.destroy() };
}

/** Runs until the condition holds, with the real event loop. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 2_000; turn += 1) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error('the condition never held');
}

describe.each(['binary', 'json'] as const)('over a real socket, as %s', (form) => {
  it('a message goes from one device to another and is acked', async () => {
    const { server, storage, account } = await relay();
    const [alice] = await account();
    const [bob] = await account();
    const from = await server.dial({ form });
    const to = await server.dial({ form });
    expect(from.socket.protocol).toBe(form === 'binary' ? subprotocol : jsonSubprotocol);
    await from.authenticate(alice);
    const { incarnation } = await to.authenticate(bob);
    await to.next('drained');
    from.say(submitMessage(bodyFor([bob], alice, 'hello'), { n: 1 }));
    const accepted = await from.next('accepted');
    const deliver = await to.next('deliver');
    const envelope = decodeEnvelope(deliver.envelope);
    expect(Buffer.from(envelope.ciphertext).toString()).toBe('hello');
    expect(envelope).toMatchObject({
      type: 'sequenced',
      sender: { account: alice.account, device: 1 },
      sequence: accepted.sequence,
      n: 1,
    });
    to.say({ type: 'ack', committed: { incarnation, number: 1 } });
    await until(async () => (await storage.mailboxes.read(bob.key, 0, { entries: 1, bytes: 1 })).entries.length === 0);
  });

  it('what does not decode closes that socket with its code, and no other', async () => {
    const { server, account } = await relay();
    const [alice] = await account();
    const [bob] = await account();
    const good = await server.dial({ form });
    await good.authenticate(bob);
    const bad = await server.dial({ form });
    await bad.authenticate(alice);
    bad.sendRaw(Buffer.from('{"messages":[{"nothing":1}]}'));
    expect(await bad.ended).toEqual({ code: 4300, reason: 'malformed' });
    good.say({ type: 'heads', request: 1, handles: [testHandle(1)] });
    await good.next('heads_reply');
  });

  it('a message of the other form closes', async () => {
    const { server, account } = await relay();
    const [alice] = await account();
    const device = await server.dial({ form });
    await device.authenticate(alice);
    device.socket.send(encodeUpBatch([{ type: 'heartbeat' }], form), { binary: form !== 'binary' });
    expect(await device.ended).toEqual({ code: 4300, reason: 'malformed' });
  });
});

describe('one batch per turn', () => {
  it('carries all answers to what came in one batch', async () => {
    const { server, account } = await relay();
    const [alice] = await account();
    const device = await server.dial();
    await device.authenticate(alice);
    await device.next('drained');
    const before = device.batches();
    device.say(...Array.from({ length: 16 }, (_, i) => submitMessage(bodyFor([], alice, ''), { n: i + 1, oldest: 1 })));
    await until(() => device.all('accepted').length === 16);
    expect(device.batches() - before).toBe(1);
  });
});

// "… oversized … message on the wire: its coded error, close where the table says so, nothing stored."
describe('a frame that is too large', () => {
  it('is refused with too_large just over the limit, with 1009 far over it, and stores nothing', async () => {
    const { server, storage, account } = await relay();
    const [alice] = await account();
    for (const [over, code] of [
      [1, 4301],
      [1_000_000, 1009],
    ] as const) {
      const device = await server.dial();
      await device.authenticate(alice);
      device.sendRaw(Buffer.alloc(limits.batchMaxBytes + over, 0x0a));
      expect((await device.ended).code).toBe(code);
    }
    expect((await storage.mailboxes.heads([testHandle(1)]))[0]).toEqual({ handle: testHandle(1) });
  });

  it('is taken at the limit', async () => {
    const { server, account } = await relay();
    const [alice] = await account();
    const device = await server.dial();
    await device.authenticate(alice);
    const empty = encodeUpBatch([submitMessage(Buffer.alloc(200_000), { n: 1 })]).length - 200_000;
    device.say(submitMessage(Buffer.alloc(limits.batchMaxBytes - empty), { n: 1 }));
    expect((await device.next('rejected')).code).toBe('malformed');
  });
});

describe('what a WebSocket may not be', () => {
  /** A socket past the handshake, for raw frames. */
  const raw = async (port: number) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      `GET /v1/relay HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`,
    );
    const received: Buffer[] = [];
    socket.on('data', (data: Buffer) => received.push(data));
    const closed = once(socket, 'close');
    await until(() => Buffer.concat(received).includes('\r\n\r\n'));
    /** The status of the close frame that came last, before the socket ended. */
    const status = async (): Promise<number> => {
      await closed;
      const all = Buffer.concat(received);
      const at = all.lastIndexOf(0x88);
      return all.readUInt16BE(at + 2);
    };
    return { socket, status };
  };
  const frame = (first: number, payload: Buffer, masked = true): Buffer => {
    const mask = masked ? Buffer.alloc(4) : Buffer.alloc(0);
    const head =
      payload.length < 126
        ? Buffer.of(first, (masked ? 0x80 : 0) | payload.length)
        : Buffer.of(first, (masked ? 0x80 : 0) | 126, payload.length >> 8, payload.length & 255);
    return Buffer.concat([head, mask, payload]);
  };

  it.each([
    ['an unmasked frame', 1002, [frame(0x82, Buffer.from('x'), false)]],
    ['a reserved bit', 1002, [frame(0xc2, Buffer.from('x'))]],
    ['an unknown opcode', 1002, [frame(0x83, Buffer.from('x'))]],
    ['a continuation of nothing', 1002, [frame(0x80, Buffer.from('x'))]],
    ['a ping of 126 bytes', 1002, [frame(0x89, Buffer.alloc(126))]],
    ['a close with one byte', 1002, [frame(0x88, Buffer.of(1))]],
    ['text that is no UTF-8', 1007, [frame(0x81, Buffer.of(0xff, 0xfe))]],
    [
      'more fragments than allowed',
      1008,
      [frame(0x02, Buffer.of(1)), ...Array.from({ length: limits.batchMaxFragments }, () => frame(0x00, Buffer.of(1)))],
    ],
  ])('%s ends it with %i', async (_, code, frames) => {
    const { server, account } = await relay();
    const good = await server.dial();
    await good.authenticate((await account())[0]);
    const { socket, status } = await raw(server.port);
    for (const one of frames) socket.write(one);
    expect(await status()).toBe(code);
    good.say({ type: 'heads', request: 1, handles: [] });
    await good.next('heads_reply');
    socket.destroy();
  });

  it('a frame that comes byte by byte without end is cut off, long before its length is kept', async () => {
    const { server } = await relay();
    const { socket, status } = await raw(server.port);
    socket.setNoDelay(true);
    socket.write(Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0]));
    let bytes = 0;
    for (; bytes < 20 * limits.batchMaxChunks && !socket.readableEnded && !socket.destroyed; bytes += 1) {
      socket.write(Buffer.of(1));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await status()).toBe(1008);
    expect(bytes).toBeGreaterThanOrEqual(limits.batchMaxChunks);
    socket.destroy();
  });

  it('compressed: the extension is never agreed to', async () => {
    const { server } = await relay();
    const socket = new WebSocket(server.url, subprotocol, { perMessageDeflate: true });
    await once(socket, 'open');
    expect(socket.extensions).toBe('');
    socket.terminate();
  });
});

describe('an upgrade', () => {
  it('elsewhere, or without a subprotocol that is spoken here, is refused with a code', async () => {
    const { server } = await relay();
    const elsewhere = await upgrade(server.port, { path: '/v1/other' });
    expect(elsewhere.status).toBe(404);
    expect(elsewhere.text).toContain('"code":"unknown_route"');
    const other = await upgrade(server.port, { protocol: 'waxwing.v9, chat' });
    expect(other.status).toBe(400);
    expect(other.text).toContain('"code":"unsupported_version"');
    const one = await upgrade(server.port, { protocol: `waxwing.v9, ${jsonSubprotocol}` });
    expect(one.text).toContain(`Sec-WebSocket-Protocol: ${jsonSubprotocol}`);
    one.end();
  });

  it('that is none is answered by a client error, never by a stack', async () => {
    const { server } = await relay();
    const socket = connect(server.port, '127.0.0.1');
    socket.write(
      `GET /v1/relay HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`,
    );
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(data.toString()).toMatch(/^HTTP\/1\.1 400 /);
    expect(data.toString()).toContain('"code":"malformed"');
    expect(data.toString()).not.toContain('    at ');
    socket.destroy();
  });

  it('beyond the burst of an address is refused with 429 and a time, but not once the sockets have authenticated', async () => {
    const { server, account } = await relay();
    const held = [];
    for (let i = 0; i < limits.unauthenticatedPerAddressBurst; i += 1) held.push(await upgrade(server.port));
    expect(held.every(({ status }) => status === 101)).toBe(true);
    const refused = await upgrade(server.port);
    expect(refused.status).toBe(429);
    expect(refused.text).toContain('Retry-After: 3');
    expect(refused.text).toContain('"code":"rate_limited"');
    for (const { end } of held) end();

    const other = await relay();
    const [device] = await other.account();
    for (let i = 0; i < 2 * limits.unauthenticatedPerAddressBurst; i += 1) {
      const dialled = await other.server.dial();
      await dialled.authenticate(device);
    }
    expect(account).toBeDefined();
  });

  it('behind a trusted proxy is counted by the client’s address', async () => {
    const { server } = await relay({ config: { trustProxy: ['127.0.0.0/8'] } });
    const held = [];
    for (let i = 0; i <= limits.unauthenticatedPerAddressBurst; i += 1) {
      held.push(await upgrade(server.port, { forwarded: '198.51.100.7' }));
    }
    expect(held.map(({ status }) => status).slice(-2)).toEqual([101, 429]);
    const other = await upgrade(server.port, { forwarded: '198.51.100.8' });
    expect(other.status).toBe(101);
    for (const { end } of [...held, other]) end();
  });

  it('beyond maxConnections is refused with 503 and a time, until one ends', async () => {
    const { server } = await relay({ config: { maxConnections: 2 } });
    const held = [await upgrade(server.port), await upgrade(server.port)];
    const refused = await upgrade(server.port);
    expect(refused.status).toBe(503);
    expect(refused.text).toMatch(/Retry-After: \d+/);
    held[0]!.end();
    await until(() => server.relay.connections() === 1);
    const taken = await upgrade(server.port);
    expect(taken.status).toBe(101);
    for (const { end } of [...held, taken]) end();
    const metrics = await server.metrics.metrics();
    expect(metrics).toContain('waxwing_relay_refused_upgrades_total{reason="full"} 1');
    expect(metrics).toMatch(/waxwing_relay_event_loop_delay_seconds\{quantile="0.99"\} \d/);
  });
});

describe('a device that stops reading its socket', () => {
  it('costs no more than its window, and others are served meanwhile', async () => {
    const { server, storage, account } = await relay();
    const [alice] = await account();
    const [bob] = await account();
    const from = await server.dial();
    await from.authenticate(alice);
    const slow = await server.dial();
    const { incarnation } = await slow.authenticate(bob);
    await slow.next('drained');
    slow.socket.pause();
    for (let n = 1; n <= 60; n += 1) {
      from.say(submitMessage(bodyFor([bob], alice, 90_000), { n }));
      await from.next('accepted');
    }
    const text = await server.metrics.metrics();
    const sent = Number(/waxwing_relay_delivered_bytes_total (\d+)/.exec(text)?.[1]);
    expect(sent).toBeLessThanOrEqual(limits.deliverWindowBytes);
    slow.socket.resume();
    let committed = 0;
    while (committed < 60) {
      await until(() => slow.all('deliver').length > committed);
      committed = slow.all('deliver').length;
      slow.say({ type: 'ack', committed: { incarnation, number: committed } });
    }
    await until(async () => (await storage.mailboxes.read(bob.key, 0, { entries: 1, bytes: 1 })).entries.length === 0);
    expect(slow.all('deliver').map(({ position }) => position.number)).toEqual(
      Array.from({ length: 60 }, (_, index) => index + 1),
    );
  });
});

describe('the stop of a relay', () => {
  it('refuses upgrades with 503, sends devices away, and is not ready', async () => {
    const { server, account } = await relay();
    const device = await server.dial();
    await device.authenticate((await account())[0]);
    expect(await server.relay.ready()).toBe(true);
    await server.relay.drain();
    expect((await device.ended).code).toBe(4100);
    expect(device.all('go_away')).toHaveLength(1);
    expect(server.relay.draining).toBe(true);
    expect(server.relay.connections()).toBe(0);
    expect(await server.relay.ready()).toBe(false);
    expect((await upgrade(server.port)).status).toBe(503);
  });

  it('at once ends sockets that would never say goodbye', async () => {
    const { server } = await relay();
    const mute = await upgrade(server.port);
    await server.relay.close();
    await server.relay.close();
    expect(server.relay.connections()).toBe(0);
    mute.end();
  });

  it('is not ready while the store cannot write', async () => {
    let isAway = true;
    const { server } = await relay({}, (storage) => ({
      ...storage,
      mailboxes: {
        ...storage.mailboxes,
        check: () => (isAway ? Promise.reject(new Error('full')) : Promise.resolve()),
      },
    }));
    expect(await server.relay.ready()).toBe(false);
    isAway = false;
    expect(await server.relay.ready()).toBe(true);
  });
});
