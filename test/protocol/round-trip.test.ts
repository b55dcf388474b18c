import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeDownBatch,
  decodeUpBatch,
  encodeDownBatch,
  encodeUpBatch,
  limits,
  type Down,
  type Up,
} from '@waxwing/protocol';
import { down, downs, up, ups } from './arbitraries.ts';
import { codecs } from './codecs.ts';
import { plain } from './plain.ts';

describe.each(codecs)('$name', ({ pairs, decode, again }) => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(pairs, ({ value, bytes }) => {
        expect(plain(decode(bytes))).toEqual(plain(value));
      }),
    );
  });

  it('has one way to be written', () => {
    fc.assert(
      fc.property(pairs, ({ bytes }) => {
        expect(plain(again(bytes))).toBe(plain(bytes));
      }),
    );
  });

  it('is read the same from the middle of a larger buffer', () => {
    fc.assert(
      fc.property(pairs, fc.nat(9), ({ bytes }, before) => {
        const larger = new Uint8Array(before + bytes.length + 3).fill(0xff);
        larger.set(bytes, before);
        expect(plain(decode(larger.subarray(before, before + bytes.length)))).toEqual(plain(decode(bytes)));
      }),
    );
  });
});

describe.each(['binary', 'json'] as const)('%s batches', (form) => {
  it.each(Object.entries<fc.Arbitrary<Up>>(ups))('carry every up message: %s', (_, message) => {
    fc.assert(
      fc.property(message, (one) => {
        expect(plain(decodeUpBatch(encodeUpBatch([one], form), form))).toEqual(plain([one]));
      }),
      { numRuns: 30 },
    );
  });

  it.each(Object.entries<fc.Arbitrary<Down>>(downs))('carry every down message: %s', (_, message) => {
    fc.assert(
      fc.property(message, (one) => {
        expect(plain(decodeDownBatch(encodeDownBatch([one], form), form))).toEqual(plain([one]));
      }),
      { numRuns: 30 },
    );
  });

  it('keep the order of what they carry', () => {
    fc.assert(
      fc.property(fc.array(up, { minLength: 1, maxLength: 12 }), fc.array(down, { maxLength: 12 }), (ups, downs) => {
        expect(plain(decodeUpBatch(encodeUpBatch(ups, form), form))).toEqual(plain(ups));
        expect(plain(decodeDownBatch(encodeDownBatch(downs, form), form))).toEqual(plain(downs));
      }),
    );
  });

  it('may be as long as the limit says and no longer', () => {
    const heartbeats = (length: number) =>
      encodeUpBatch(
        Array.from({ length }, () => ({ type: 'heartbeat' })),
        form,
      );
    expect(decodeUpBatch(heartbeats(limits.batchMaxMessages), form)).toHaveLength(limits.batchMaxMessages);
    expect(() => decodeUpBatch(heartbeats(limits.batchMaxMessages + 1), form)).toThrow(/^too_large/);
  });
});
