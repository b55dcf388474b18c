import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeFrame,
  encodeContent,
  encodeFrame,
  firstPrev,
  frameKinds,
  handleFromBytes,
  limits,
  paddedLength,
  paddingField,
  paddingFor,
  parseAccountId,
  parseDeviceId,
  parseMessageId,
} from '@waxwing/protocol';
import { frame } from './arbitraries.ts';

/** The classes as the design has them, worked out apart from the code under test. */
const classes = new Set([160, 320, 480, 640, 800, 960, 1_024]);
for (let quarters = 41; quarters <= 80; quarters += 1) classes.add(Math.ceil(2 ** 10 * 2 ** ((quarters - 40) / 4)));
const ordered = [...classes].sort((a, b) => a - b);

const sender = { account: parseAccountId('00112233-4455-4077-8899-aabbccddeeff'), device: parseDeviceId(1) };
const handle = handleFromBytes(new Uint8Array(32).fill(1));

function frameOf(body: Uint8Array): Uint8Array {
  return encodeFrame({
    sender,
    messageId: parseMessageId('019388fe-7a00-7123-8112-23344556677a'),
    kind: frameKinds.content,
    place: { handle, n: 1, prev: firstPrev(handle, sender), replaces: [] },
    list: { version: 1, hashPrefix: new Uint8Array(8) },
    sentAtMs: 1_800_000_000_000,
    body,
  });
}

const longestBody = 77_000;

describe('padding', () => {
  it('has classes of 160-byte steps to 1 KiB, then powers of 2^(1/4)', () => {
    for (let length = 1; length <= limits.frameMaxBytes; length += 1) {
      const padded = paddedLength(length);
      if (padded !== ordered.find((size) => size >= length))
        expect({ length, padded }).toBe('the smallest that holds it');
    }
  });

  it('brings every length to a class, never down and never past the next one', () => {
    let last = 0;
    for (let length = 0; length <= limits.frameMaxBytes; length += 1) {
      const total = length + 4 + paddingFor(length);
      if (!classes.has(total) || total < last || total !== ordered.find((size) => size >= length + 4)) {
        expect({ length, total }).toBe('the smallest class that holds it with its prefix');
      }
      last = total;
    }
  });

  it('is one field, which says its own length', () => {
    for (const length of [0, 1, 30, 31, 32, 156, 157, 1_086, 9_000, 60_000, 77_932]) {
      const field = paddingField(length);
      const [tag, a = 0, b = 0, c = 0] = field;
      expect(tag).toBe((15 << 3) | 2);
      expect((a & 0x7f) | ((b & 0x7f) << 7) | (c << 14)).toBe(field.length - 4);
      expect(field.length - 4).toBe(paddingFor(length));
      expect(field.subarray(4).every((byte) => byte === 0)).toBe(true);
    }
  });
});

describe('a frame', () => {
  it('has the length of a class, whatever is in it', () => {
    fc.assert(
      fc.property(frame, (one) => {
        expect(classes).toContain(encodeFrame(one).length);
      }),
    );
  });

  it('is as long as any other frame whose text is of the same class', () => {
    const lengths = Array.from(
      { length: 3_000 },
      (_, length) => frameOf(encodeContent({ text: 'x'.repeat(length) })).length,
    );
    const sorted = [...lengths].sort((a, b) => a - b);
    expect(lengths).toEqual(sorted);
    expect(new Set(lengths)).toEqual(new Set(ordered.filter((size) => size >= lengths[0]! && size <= lengths.at(-1)!)));
  });

  it('comes back with its body at every length around a class boundary', () => {
    const overhead = frameOf(new Uint8Array(200)).length - 200;
    for (const size of ordered.filter((one) => one > overhead && one < longestBody)) {
      for (let near = -140; near <= 4; near += 1) {
        const body = new Uint8Array(Math.max(0, size - overhead + near)).fill(3);
        const bytes = frameOf(body);
        expect(classes).toContain(bytes.length);
        expect(decodeFrame(bytes).body).toHaveLength(body.length);
      }
    }
  });

  it('with the longest text is within its limit', () => {
    const body = encodeContent({ text: 'x'.repeat(limits.textMaxBytes) });
    expect(frameOf(body).length).toBeLessThanOrEqual(limits.frameMaxBytes);
  });
});
