import { connect, type Socket } from 'node:net';
import { closeCodes, encodeUpBatch, isErrorCode, limits, subprotocol } from '@waxwing/protocol';
import { createDice, type Dice } from './dice.ts';
import { Tally, type RowOptions, type RowReport } from './row.ts';
import { besiege } from './siege.ts';

const LANES = 16;
/** A connection that says nothing sensible is gone by then: the longest of the server's times, and some more. */
const GONE_WITHIN_MS = 2 * limits.httpConnectionTimeoutMs;
const HELD_IN = 12;

const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
const good = [
  'Host: relay.test',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  key,
  `Sec-WebSocket-Protocol: ${subprotocol}`,
];
const request = (lines: readonly string[], first = 'GET /v1/relay HTTP/1.1'): Buffer =>
  Buffer.from(`${[first, ...lines].join('\r\n')}\r\n\r\n`, 'latin1');
const without = (name: string): string[] => good.filter((line) => !line.startsWith(name));
const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `X-${index}: y`);

/** Handshakes that are none, or of something else. */
const handshakes: readonly Buffer[] = [
  request(without('Host')),
  request(without('Upgrade')),
  request(without('Connection')),
  request(without('Sec-WebSocket-Version')),
  request(without('Sec-WebSocket-Key')),
  request(without('Sec-WebSocket-Protocol')),
  request([...without('Sec-WebSocket-Key'), 'Sec-WebSocket-Key: short']),
  request([...without('Sec-WebSocket-Version'), 'Sec-WebSocket-Version: 12']),
  request([...without('Sec-WebSocket-Protocol'), 'Sec-WebSocket-Protocol: waxwing.v9, chat']),
  request([...without('Sec-WebSocket-Protocol'), `Sec-WebSocket-Protocol: ${subprotocol}, ${subprotocol}`]),
  request([...without('Sec-WebSocket-Protocol'), 'Sec-WebSocket-Protocol: ,,']),
  request([...good, key]),
  request([...good, ...many(2_000)]),
  request([...good, ...many(60)]),
  request([...good, `X: ${'x'.repeat(20_000)}`]),
  request([...good, 'X: a\0b']),
  request([...good, 'Content-Length: 5']),
  request([...good, 'Transfer-Encoding: chunked']),
  request([...good, 'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99']),
  request([...good, 'Sec-WebSocket-Extensions: ;;=']),
  request(good, 'POST /v1/relay HTTP/1.1'),
  request(good, 'GET /v1/relay HTTP/1.0'),
  request(good, 'GET /v1/relay/../relay HTTP/1.1'),
  request(good, 'GET //v1/relay HTTP/1.1'),
  request(good, 'GET /v1/relay%00 HTTP/1.1'),
  request(good, 'GET http://elsewhere/v1/relay HTTP/1.1'),
  request(good, 'PRI * HTTP/2.0'),
  request([...without('Upgrade'), 'Upgrade: h2c']),
  request(['Host: x', 'Content-Length: 4', 'Transfer-Encoding: chunked'], 'POST /v1/accounts HTTP/1.1'),
  request(['Host: x', 'Content-Length: 4', 'Content-Length: 5'], 'POST /v1/accounts HTTP/1.1'),
  request(['Host: x', 'Content-Length: -1'], 'POST /v1/accounts HTTP/1.1'),
  request(['Host: x', 'Content-Length: 99999999999999999999'], 'POST /v1/accounts HTTP/1.1'),
  request(['Host: x', 'Content-Type: application/json', 'Content-Length: 9999999'], 'POST /v1/accounts HTTP/1.1'),
  Buffer.concat([
    request(['Host: x', 'Content-Type: application/json', 'Transfer-Encoding: chunked'], 'POST /v1/accounts HTTP/1.1'),
    Buffer.from('zz\r\n{}\r\n0\r\n\r\n'),
  ]),
  request(['Host: x'], 'GET /v1/../openapi.json HTTP/1.1'),
  request(['Host: x'], 'GET /v1/accounts/%2e%2e/device-list HTTP/1.1'),
  request(['Host: x'], 'GET /v1/accounts/%ff/device-list HTTP/1.1'),
  request(['Host: x'], 'BREW /v1/accounts HTTP/1.1'),
  Buffer.from('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
  Buffer.from('GET /v1/relay HTTP/1.1\r\nHost: x\r\nUpg'),
  Buffer.alloc(0),
];

type FrameOptions = { readonly masked?: boolean; readonly says?: number; readonly form?: 7 | 16 | 64 };

function frame(first: number, payload: Uint8Array, o: FrameOptions = {}): Buffer {
  const { masked = true, says = payload.length } = o;
  const form = o.form ?? (says < 126 ? 7 : says < 65_536 ? 16 : 64);
  const bit = masked ? 0x80 : 0;
  const length = Buffer.alloc(form === 7 ? 1 : form === 16 ? 3 : 9);
  if (form === 7) length.writeUInt8(bit | (says & 0x7f), 0);
  else if (form === 16) {
    length.writeUInt8(bit | 126, 0);
    length.writeUInt16BE(says & 0xffff, 1);
  } else {
    length.writeUInt8(bit | 127, 0);
    length.writeBigUInt64BE(BigInt.asUintN(64, BigInt(says)), 1);
  }
  return Buffer.concat([Buffer.of(first), length, masked ? Buffer.alloc(4) : Buffer.alloc(0), payload]);
}

const heartbeat = encodeUpBatch([{ type: 'heartbeat' }]);
const FIN = 0x80;

/** Groups of frames, each an abuse of its own. */
const abuses: readonly ((dice: Dice) => Buffer[])[] = [
  (dice) => [frame(FIN | 2 | dice.pick([0x10, 0x20, 0x40, 0x70]), heartbeat)],
  (dice) => [frame(FIN | dice.pick([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), dice.bytes(dice.int(200)))],
  () => [frame(FIN, heartbeat)],
  () => [frame(2, heartbeat), frame(FIN | 2, heartbeat)],
  (dice) =>
    Array.from({ length: 1 + dice.int(200) }, (_, index) => frame(index === 0 ? 2 : 0, dice.bytes(dice.int(3)))),
  (dice) => [frame(FIN | 2, heartbeat, { masked: false }), frame(FIN | 2, dice.bytes(10))],
  (dice) => [frame(FIN | 2, heartbeat, { says: dice.pick([0, 1, 125, 65_535, 262_145, 2 ** 31, 2 ** 53, -1]) })],
  (dice) => [frame(FIN | 2, heartbeat, { form: dice.pick([16, 64] as const) })],
  (dice) => [frame(FIN | dice.pick([8, 9, 10]), Buffer.alloc(126 + dice.int(200)))],
  (dice) => [frame(dice.pick([8, 9, 10]), heartbeat)],
  (dice) => [frame(FIN | 8, dice.bytes(1))],
  (dice) => [frame(FIN | 8, Buffer.from([dice.pick([0, 3, 0x0b, 0xff]), dice.int(256), 0xff, 0xfe]))],
  (dice) => [frame(FIN | 8, Buffer.from([3, dice.pick([0xe8, 0xec, 0xed, 0xee, 0xf7])]))],
  (dice) => Array.from({ length: 100 + dice.int(400) }, () => frame(FIN | 9, Buffer.alloc(125, 1))),
  () => [frame(FIN | 1, heartbeat)],
  () => [frame(FIN | 1, Buffer.from([0xff, 0xfe]))],
  () => [frame(1, Buffer.from([0xe2])), frame(FIN, Buffer.from([0x28, 0xa1]))],
  (dice) => [frame(FIN | 2, Buffer.alloc(limits.batchMaxBytes + dice.int(3) - 1, dice.int(256)))],
  (dice) => Array.from({ length: 50 + dice.int(300) }, () => frame(FIN | 2, Buffer.alloc(0))),
  (dice) => [frame(FIN | 2, dice.bytes(dice.int(300)))],
  (dice) => [dice.bytes(dice.int(2_000))],
  (dice) =>
    Array.from({ length: 1 + dice.int(5) }, () =>
      frame(dice.int(256), dice.bytes(dice.int(140)), { masked: !dice.oneIn(4) }),
    ),
];

type Shot = { readonly name: string; readonly bytes: Buffer; readonly held: boolean; readonly drips: boolean };

function aim(count: number, dice: Dice): Shot {
  const held = dice.oneIn(HELD_IN);
  const drips = dice.oneIn(20);
  if (count % 4 === 0) {
    const at = (count / 4) % handshakes.length;
    return { name: `handshake ${at}`, bytes: handshakes[at] ?? Buffer.alloc(0), held, drips };
  }
  const at = count % abuses.length;
  const frames = abuses[at]?.(dice) ?? [];
  const more = dice.oneIn(3) ? dice.pick(abuses)(dice) : [];
  return { name: `frames ${at}`, bytes: Buffer.concat([request(good), ...frames, ...more]), held, drips };
}

/** An address of this machine for each connection, as many attackers have. */
export const addressOf = (count: number): string =>
  `127.${1 + ((count >> 16) & 63)}.${(count >> 8) & 255}.${count & 255}`;

/** Writes what is aimed, a few bytes at a time where it drips, and resolves with all that came back until the end. */
async function shoot(port: number, from: string, { bytes, held, drips }: Shot): Promise<Buffer | 'still there'> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from });
  socket.on('error', () => undefined);
  const received: Buffer[] = [];
  socket.on('data', (data: Buffer) => received.push(data));
  // Not `events.once`, which rejects at an error: a reset is one of the ways in which a connection ends.
  const closed = new Promise<'closed'>((resolve) => socket.once('close', () => resolve('closed')));
  await Promise.race([new Promise((resolve) => socket.once('connect', resolve)), closed]);
  if (drips) await drip(socket, bytes);
  else socket.write(bytes);
  if (!held) socket.end();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => (timer = setTimeout(() => resolve('late'), GONE_WITHIN_MS)));
  const how = await Promise.race([closed, late]).finally(() => clearTimeout(timer));
  socket.destroy();
  return how === 'late' ? 'still there' : Buffer.concat(received);
}

async function drip(socket: Socket, bytes: Buffer): Promise<void> {
  const step = Math.max(1, Math.ceil(bytes.length / 50));
  for (let at = 0; at < bytes.length && socket.writable; at += step) {
    socket.write(bytes.subarray(at, at + step));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const standard = new Set([1002, 1003, 1007, 1008, 1009, 1013]);
const ours = new Set<number>(Object.values(closeCodes));
/** What a device may say, and hears back. */
const echoed = new Set([1000, 1001]);
const isStandardEcho = (code: number): boolean => code >= 1000 && code < 5_000;

/** The answer's name; a finding where the contract has no such answer. */
export function readAnswer(all: Buffer, sentClose: boolean): { answer: string; finding?: string } {
  if (all.length === 0) return { answer: 'ended' };
  const text = all.toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  const status = Number(text.slice(9, 12));
  if (!text.startsWith('HTTP/1.1 ') || end < 0) return { answer: 'fault', finding: `no answer: ${text.slice(0, 300)}` };
  if (status !== 101) {
    const code = /"code":"(\w+)"/.exec(text)?.[1] ?? '';
    const isCoded = ((status >= 400 && status < 500) || status === 503) && isErrorCode(code);
    if (!isCoded || / at .*:\d+:\d+/.test(text)) return { answer: 'fault', finding: text.slice(0, 600) };
    return { answer: `HTTP ${status} ${code}` };
  }
  const close = closeOf(all.subarray(end + 4));
  if (close === undefined) return { answer: 'upgraded, ended' };
  if (standard.has(close) || ours.has(close)) return { answer: `closed ${close}` };
  if (echoed.has(close) || (sentClose && isStandardEcho(close))) return { answer: 'closed as asked' };
  return { answer: 'fault', finding: `closed with ${close}` };
}

/** The status of the close frame among the server's frames; 1000 for one without. */
function closeOf(bytes: Buffer): number | undefined {
  for (let at = 0; at + 2 <= bytes.length;) {
    const opcode = bytes.readUInt8(at) & 15;
    const short = bytes.readUInt8(at + 1) & 0x7f;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (at + head > bytes.length) return undefined;
    const length =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
    if (opcode === 8) return length < 2 ? 1000 : bytes.readUInt16BE(at + head);
    at += head + length;
  }
  return undefined;
}

/** H1: handshakes and frames, as bytes on sockets to a server process that serves an honest pair meanwhile. */
export async function attackWebSocket(options: RowOptions): Promise<RowReport> {
  const { cases, seed } = options;
  const tally = new Tally('H1');
  const dice = createDice(seed);
  const held: Promise<void>[] = [];
  let next = 0;

  const attack = async (port: number): Promise<void> => {
    const one = async (count: number, shot: Shot): Promise<void> => {
      const all = await shoot(port, addressOf(count), shot);
      const { answer, finding } =
        all === 'still there'
          ? { answer: 'fault', finding: 'still there' }
          : readAnswer(all, shot.bytes.includes(0x88));
      tally.answered(answer);
      if (finding !== undefined) tally.found(`${shot.name}, case ${count} of seed ${seed}: ${finding}`);
    };
    const lane = async (): Promise<void> => {
      while (next < cases) {
        const count = next;
        next += 1;
        const shot = aim(count, dice);
        const shooting = one(count, shot);
        if (shot.held) held.push(shooting);
        else await shooting;
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    await Promise.all(held);
  };

  const siege = await besiege(tally, options, { attack: ({ port }) => attack(port) });
  return tally.report({ siege });
}
