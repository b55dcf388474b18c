import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  accountIdFromBytes,
  addressKey,
  compareSequences,
  handleFromBytes,
  handleToBytes,
  incarnationToBytes,
  isAccountId,
  messageIdFromBytes,
  parseAccountId,
  parseDeviceId,
  parseEra,
  parseHandle,
  parseMessageId,
  parsePosition,
  uuidToBytes,
} from '@waxwing/protocol';

const malformed = /^malformed: /;
const uuid = '00112233-4455-4077-8899-aabbccddeeff';

describe('an account id', () => {
  it('is a UUID, taken in either case and kept in lower case', () => {
    expect(parseAccountId(uuid.toUpperCase())).toBe(uuid);
    expect([isAccountId(uuid), isAccountId(uuid.toUpperCase())]).toEqual([true, false]);
  });

  it('comes back from its 16 bytes', () => {
    fc.assert(
      fc.property(fc.uuid(), (text) => {
        expect(accountIdFromBytes(uuidToBytes(parseAccountId(text)))).toBe(text);
        expect(messageIdFromBytes(uuidToBytes(parseMessageId(text)))).toBe(text);
        expect(parseMessageId(text.toUpperCase())).toBe(text);
      }),
    );
  });

  it.each([
    '',
    'alice',
    uuid.slice(1),
    `${uuid}0`,
    `${uuid}\n`,
    uuid.replace('8899', '0899'),
    uuid.replaceAll('-', ''),
  ])('is not %j', (text) => {
    expect(() => parseAccountId(text)).toThrow(malformed);
    expect(() => parseMessageId(text)).toThrow(malformed);
  });

  it('is not 16 bytes without a UUID’s version and variant', () => {
    expect(() => accountIdFromBytes(new Uint8Array(16))).toThrow(malformed);
    expect(() => messageIdFromBytes(new Uint8Array(15))).toThrow(malformed);
  });
});

describe('a device id', () => {
  it('is a whole number from 1 to 127', () => {
    const taken = [-1, 0, 0.5, 1, 127, 127.5, 128, NaN, Infinity].filter((value) => {
      try {
        return parseDeviceId(value) === value;
      } catch {
        return false;
      }
    });
    expect(taken).toEqual([1, 127]);
  });
});

describe('an era', () => {
  it('is a safe whole number from 1', () => {
    expect(parseEra(Number.MAX_SAFE_INTEGER)).toBe(Number.MAX_SAFE_INTEGER);
    for (const value of [0, -1, 1.5, 2 ** 53, NaN]) expect(() => parseEra(value)).toThrow(malformed);
  });
});

describe('a handle', () => {
  it('is 32 bytes, with one text for each', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const handle = handleFromBytes(bytes);
        expect(Uint8Array.from(handleToBytes(handle))).toEqual(bytes);
        expect(parseHandle(handle)).toBe(handle);
        expect(parseHandle(`${handle}=`)).toBe(handle);
      }),
    );
    for (const length of [0, 31, 33]) expect(() => handleFromBytes(new Uint8Array(length))).toThrow(malformed);
    expect(() => parseHandle('short')).toThrow(malformed);
  });
});

describe('a position', () => {
  it('names an incarnation of 8 bytes', () => {
    const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    const position = parsePosition(bytes, 4);
    expect(Uint8Array.from(incarnationToBytes(position.incarnation))).toEqual(bytes);
    expect(() => parsePosition(bytes.subarray(1), 4)).toThrow(malformed);
  });
});

describe('sequences', () => {
  it('are ordered by era, then by number', () => {
    const at = (era: number, number: number) => ({ era: parseEra(era), number });
    const ordered = [at(1, 1), at(1, 2), at(1, 10), at(2, 1), at(10, 1)];
    expect([...ordered].reverse().sort(compareSequences)).toEqual(ordered);
    expect(compareSequences(at(3, 4), at(3, 4))).toBe(0);
  });
});

describe('addresses', () => {
  it('have a key for each account and device', () => {
    expect(addressKey({ account: parseAccountId(uuid), device: parseDeviceId(7) })).toBe(`${uuid}.7`);
  });
});
