import type { Dice } from './dice.ts';

type Spoil = (bytes: Buffer, other: Buffer, dice: Dice) => Buffer;

const cutAt = (bytes: Buffer, at: number, removed: number, ...put: Buffer[]): Buffer =>
  Buffer.concat([bytes.subarray(0, at), ...put, bytes.subarray(at + removed)]);

/** Runs that readers stumble over: no UTF-8, a lone surrogate, NUL, varints without end, 2^53 + 1, minus one. */
const oddRuns: readonly Buffer[] = [
  Buffer.from([0xff]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from([0x00]),
  Buffer.from([0xc0, 0xaf]),
  Buffer.alloc(12, 0x80),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
  Buffer.from([0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]),
  Buffer.from([0x80, 0x00]),
  Buffer.from('NaN'),
  Buffer.from('1e999'),
  Buffer.from('"__proto__"'),
  Buffer.from('-1'),
  Buffer.from('9007199254740993'),
];

const spoils: readonly Spoil[] = [
  (bytes, _, dice) => {
    const flipped = Buffer.from(bytes);
    const at = dice.int(bytes.length);
    if (flipped.length > 0) flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << dice.int(8)), at);
    return flipped;
  },
  (bytes, _, dice) => bytes.subarray(0, dice.int(bytes.length + 1)),
  (bytes, _, dice) => Buffer.concat([bytes, dice.bytes(1 + dice.int(40))]),
  (bytes, _, dice) => cutAt(bytes, dice.int(bytes.length), 1),
  (bytes, _, dice) => cutAt(bytes, dice.int(bytes.length + 1), 0, dice.bytes(1)),
  (bytes, _, dice) => cutAt(bytes, dice.int(bytes.length + 1), dice.int(4), dice.pick(oddRuns)),
  (bytes, other, dice) =>
    Buffer.concat([bytes.subarray(0, dice.int(bytes.length + 1)), other.subarray(dice.int(other.length + 1))]),
  (bytes, _, dice) => Buffer.concat([bytes.subarray(0, dice.int(bytes.length + 1)), bytes]),
  (bytes, _, dice) => {
    const from = dice.int(bytes.length);
    return cutAt(bytes, from, dice.int(32), Buffer.alloc(dice.int(32), dice.pick([0, 0x7f, 0x80, 0xff])));
  },
];

/** One edit that knows nothing of what the bytes mean. `other` is what pieces are taken from. */
export function spoilBytes(bytes: Uint8Array, other: Uint8Array, dice: Dice): Buffer {
  return dice.pick(spoils)(Buffer.from(bytes), Buffer.from(other), dice);
}
