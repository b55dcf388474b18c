import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeDownBatch,
  decodeUpBatch,
  downBatchMaxBytes,
  errors,
  limits,
  ProtocolError,
  type ErrorCode,
} from '@waxwing/protocol';
import { codecs, type AnyCodec } from './codecs.ts';
import { plain } from './plain.ts';

/** What a decoder makes of the bytes: a value, or the code of its refusal. Anything else that it throws is a bug, and thrown on. */
function outcome(codec: AnyCodec, bytes: Uint8Array): { value: unknown } | { code: ErrorCode } {
  try {
    return { value: codec.decode(bytes) };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    expect(Object.keys(errors)).toContain(error.code);
    return { code: error.code };
  }
}

/** Refused with a code, or a value that can be written and comes back the same. */
function expectSound(codec: AnyCodec, bytes: Uint8Array): void {
  const result = outcome(codec, bytes);
  if ('code' in result) return;
  expect(plain(codec.decode(codec.encodePlain(result.value)))).toEqual(plain(result.value));
}

const concat = (...parts: readonly Uint8Array[]) => Uint8Array.from(Buffer.concat(parts));
const binary = codecs.filter((codec) => !codec.name.includes('JSON'));
const named = (...names: readonly string[]) => codecs.filter((codec) => names.includes(codec.name));

/** Field 1000 with the number 1: well formed, and no field of ours. */
const unknownField = Uint8Array.of(0xc0, 0x3e, 0x01);

describe.each(codecs)('$name', (codec) => {
  it('refuses or soundly reads every beginning of its bytes', () => {
    fc.assert(
      fc.property(codec.pairs, ({ bytes }) => {
        for (let end = 0; end < bytes.length; end += 1) expectSound(codec, bytes.subarray(0, end));
      }),
      { numRuns: 8 },
    );
  });

  it('refuses or soundly reads its bytes with any bit flipped', () => {
    fc.assert(
      fc.property(codec.pairs, ({ bytes }) => {
        for (let bit = 0; bit < bytes.length * 8; bit += 1) {
          const flipped = Uint8Array.from(bytes);
          flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          expectSound(codec, flipped);
        }
      }),
      { numRuns: 2 },
    );
  });

  it('refuses or soundly reads bytes with pieces overwritten, cut out, doubled and swapped in', () => {
    const spliced = fc.tuple(codec.pairs, codec.pairs, fc.nat(), fc.nat(), fc.uint8Array({ maxLength: 12 }));
    fc.assert(
      fc.property(spliced, ([one, other, i, j, noise]) => {
        const from = i % (one.bytes.length + 1);
        const to = j % (other.bytes.length + 1);
        expectSound(codec, concat(one.bytes.subarray(0, from), noise, other.bytes.subarray(to)));
        expectSound(codec, concat(one.bytes.subarray(0, from), one.bytes));
      }),
    );
  });

  it('refuses or soundly reads noise', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => expectSound(codec, noise)));
  });

  it('refuses one trailing byte, whatever it is', () => {
    fc.assert(
      fc.property(codec.pairs, ({ bytes }) => {
        for (let last = 0; last < 256; last += 1) {
          const isSpace = codec.name.includes('JSON') && ' \t\r\n'.includes(String.fromCharCode(last));
          if (!isSpace) expect(outcome(codec, concat(bytes, Uint8Array.of(last)))).toEqual({ code: 'malformed' });
        }
      }),
      { numRuns: 2 },
    );
  });

  it('refuses more bytes than its limit before it reads them', () => {
    const zeros = new Uint8Array(downBatchMaxBytes + 1);
    expect(outcome(codec, zeros)).toEqual({ code: 'too_large' });
  });
});

describe.each(named('up batch', 'up batch as JSON', 'down batch as JSON', 'envelope'))('$name', (codec) => {
  it('refuses every proper beginning of its bytes', () => {
    fc.assert(
      fc.property(codec.pairs, ({ bytes }) => {
        for (let end = 0; end < bytes.length; end += 1) {
          expect(outcome(codec, bytes.subarray(0, end))).toHaveProperty('code');
        }
      }),
      { numRuns: 10 },
    );
  });
});

describe.each(named('up batch', 'submit body', 'signed device list'))(
  '$name, which a server keeps or acts on',
  (codec) => {
    it('refuses a field that the schema does not have', () => {
      fc.assert(
        fc.property(codec.pairs, ({ bytes }) => {
          expect(outcome(codec, concat(bytes, unknownField))).toEqual({ code: 'malformed' });
        }),
      );
    });
  },
);

describe.each(
  named('down batch', 'envelope', 'frame', 'content', 'heads', 'receipt', 'repair request', 'repair answer'),
)('$name, which a device reads', (codec) => {
  it('reads past a field that a newer version may have', () => {
    fc.assert(
      fc.property(codec.pairs, ({ value, bytes }) => {
        expect(plain(codec.decode(concat(bytes, unknownField)))).toEqual(plain(value));
      }),
    );
  });
});

describe.each(binary)('$name', (codec) => {
  it('ends on groups nested as deep as its limit allows', () => {
    const deep = new Uint8Array(60 * 1024).fill(0x7b);
    expect(outcome(codec, deep)).toEqual({ code: 'malformed' });
  });

  it('ends on a length that goes beyond the bytes', () => {
    for (const field of [1, 2, 5, 9, 10, 14, 15]) {
      const tag = (field << 3) | 2;
      expectSound(codec, Uint8Array.of(tag, 0xff, 0xff, 0xff, 0xff, 0x0f));
      expectSound(codec, Uint8Array.of(tag, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01));
    }
  });
});

describe('a batch of none', () => {
  it('is malformed from a device', () => {
    expect(() => decodeUpBatch(new Uint8Array())).toThrow(/^malformed/);
    expect(() => decodeUpBatch(Buffer.from('{}'), 'json')).toThrow(/^malformed/);
    expect(() => decodeUpBatch(Buffer.from('{"messages":[]}'), 'json')).toThrow(/^malformed/);
  });

  it('from the relay says nothing', () => {
    expect(decodeDownBatch(new Uint8Array())).toEqual([]);
  });
});

describe('as many empty messages as fit the bytes', () => {
  it('are refused', () => {
    const empties = new Uint8Array(limits.batchMaxBytes).map((_, index) => (index % 2 === 0 ? 0x0a : 0));
    expect(() => decodeUpBatch(empties)).toThrow(/^too_large/);
  });
});

describe('hostile JSON', () => {
  it.each([
    ['nothing', ''],
    ['no object', '7'],
    ['null', 'null'],
    ['a list', '[]'],
    ['brackets without end', '['.repeat(100_000)],
    ['objects without end', '{"messages":'.repeat(10_000)],
    ['an unknown key', '{"messages":[{"ack":{"committed":{"incarnation":"AAAAAAAAAAA="}}}],"more":1}'],
    ['an unknown message', '{"messages":[{"erase":{}}]}'],
    ['two messages in one', '{"messages":[{"ack":{},"heartbeat":{}}]}'],
    ['a message without its parts', '{"messages":[{"ack":{}}]}'],
    ['a number that is none', '{"messages":[{"heads":{"request":"NaN"}}]}'],
    ['a number with a fraction', '{"messages":[{"heads":{"request":1.5}}]}'],
    ['a number below zero', '{"messages":[{"heads":{"request":-1}}]}'],
    ['a number over 32 bits', '{"messages":[{"heads":{"request":4294967296}}]}'],
    ['a number without end', '{"messages":[{"heads":{"request":1e999}}]}'],
    ['bytes that are no base64', '{"messages":[{"heads":{"handles":["%%%"]}}]}'],
    ['a number over 64 bits', '{"messages":[{"entries":{"numbers":["18446744073709551616"]}}]}'],
    ['a key that is a prototype', '{"__proto__":{"messages":[]},"messages":[{}]}'],
    ['a lone surrogate in a key', '{"\ud800":1}'],
  ])('is malformed: %s', (_, text) => {
    expect(() => decodeUpBatch(Buffer.from(text), 'json')).toThrow(ProtocolError);
    expect(() => decodeUpBatch(Buffer.from(text), 'json')).toThrow(/^malformed/);
  });

  it('is malformed where it is no UTF-8, also inside a text', () => {
    const generation = Buffer.alloc(16).toString('base64');
    const account = Buffer.from('00112233445540778899aabbccddeeff', 'hex').toString('base64');
    const batch = `{"messages":[{"authenticate":{"account":"${account}","device":1,"generations":["${generation}"],"token":"`;
    const withToken = (token: Uint8Array) => concat(Buffer.from(batch), token, Buffer.from('"}}]}'));
    expect(decodeUpBatch(withToken(Uint8Array.of(0x74)), 'json')).toMatchObject([{ token: 't' }]);
    expect(() => decodeUpBatch(withToken(Uint8Array.of(0xff)), 'json')).toThrow(/^malformed/);
  });
});
