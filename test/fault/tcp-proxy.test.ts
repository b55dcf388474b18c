import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { seededRandom } from '../support/seeded.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

let server: Server;
let proxy: TcpProxy;
let near: Socket;
let far: Socket;

/** What a socket has read, and how it ended. */
class Reading {
  text = '';
  pieces = 0;
  isEnded = false;
  isClosed = false;
  error: string | undefined;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    socket.on('data', (bytes: Buffer) => {
      this.text += bytes.toString();
      this.pieces += 1;
      this.#wake?.();
    });
    socket.on('end', () => {
      this.isEnded = true;
      this.#wake?.();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => (this.error = error.code));
    socket.on('close', () => {
      this.isClosed = true;
      this.#wake?.();
    });
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}

let atNear: Reading;
let atFar: Reading;

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await TcpProxy.listen({ target: (server.address() as AddressInfo).port, random: seededRandom(1) });
  await dial();
});
afterEach(async () => {
  near.destroy();
  far.destroy();
  await proxy.close();
  server.close();
  await once(server, 'close');
});

async function dial(): Promise<void> {
  const taken = once(server, 'connection');
  near = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  atNear = new Reading(near);
  [far] = (await taken) as [Socket];
  atFar = new Reading(far);
}

it('passes bytes and ends both ways, as they are', async () => {
  near.end('there');
  await atFar.until(() => atFar.isEnded);
  far.end('back');
  await atNear.until(() => atNear.isEnded);
  expect([atFar.text, atNear.text]).toEqual(['there', 'back']);
});

it('holds what comes in a stalled direction, the end too, and gives it when it resumes; the other direction goes on', async () => {
  proxy.stall('up');
  near.end('held');
  far.write('passes');
  await atNear.until(() => atNear.text === 'passes');
  far.write(', still');
  await atNear.until(() => atNear.text === 'passes, still');
  expect([atFar.text, atFar.isEnded, proxy.counts.stalled.up]).toEqual(['', false, 4]);
  proxy.resume();
  await atFar.until(() => atFar.isEnded);
  expect(atFar.text).toBe('held');
});

it.each(['end', 'reset'] as const)('cuts after so many bytes, inside a piece, by %s', async (how) => {
  proxy.cutAfter('up', 7, how);
  near.write('0123456789');
  await atFar.until(() => atFar.isEnded || atFar.isClosed);
  await atNear.until(() => atNear.isEnded || atNear.isClosed);
  if (how === 'end') expect(atFar.text).toBe('0123456');
  else expect('0123456').toContain(atFar.text);
  expect([proxy.counts.cutInside, proxy.counts.reset]).toEqual([1, how === 'reset' ? 1 : 0]);
});

it('ends one direction and leaves the other', async () => {
  proxy.halfClose('down');
  await atNear.until(() => atNear.isEnded);
  near.write('more');
  await atFar.until(() => atFar.text === 'more');
  expect([atFar.isEnded, proxy.counts.halfClosed]).toEqual([false, 1]);
});

it('resets what is there, and refuses what comes until it accepts again', async () => {
  proxy.reset();
  await atNear.until(() => atNear.isClosed);
  proxy.refuse();
  const refused = connect({ port: proxy.port, host: '127.0.0.1' });
  const reading = new Reading(refused);
  await reading.until(() => reading.isClosed);
  expect([reading.error, proxy.counts.refused]).toEqual(['ECONNRESET', 1]);
  proxy.accept();
  await dial();
  near.write('again');
  await atFar.until(() => atFar.text === 'again');
});

it('delays, paces and cuts into single bytes without changing them or their order', async () => {
  const text = Array.from({ length: 64 }, (_, index) => String.fromCharCode(33 + index)).join('');
  proxy.setQuality({ delayMs: 5, jitterMs: 20, bytesPerSecond: 10_000, chunkBytes: 1 });
  near.write(text.slice(0, 20));
  near.write(text.slice(20));
  await atFar.until(() => atFar.text.length === text.length);
  expect(atFar.text).toBe(text);
  expect(atFar.pieces).toBeGreaterThan(8);
  expect(proxy.counts.delayed).toBeGreaterThanOrEqual(text.length);
});

it('every connection comes from an address of its own', async () => {
  const first = far.remoteAddress;
  await dial();
  expect(far.remoteAddress).not.toBe(first);
});
