import { describe, expect, it } from 'vitest';
import {
  closeClass,
  closeCodes,
  envelopeMaxBytes,
  downBatchMaxBytes,
  errorRow,
  errors,
  isErrorCode,
  limits,
  paddedLength,
  ProtocolError,
} from '@waxwing/protocol';

const codes = Object.keys(errors).filter(isErrorCode);

describe('error codes', () => {
  it('are only those of the table', () => {
    expect(codes).toHaveLength(Object.keys(errors).length);
    expect(['constructor', 'toString', '__proto__', '', 'Malformed'].filter(isErrorCode)).toEqual([]);
  });

  it('agree with their HTTP status on whose turn it is', () => {
    for (const code of codes) {
      const { retry, status } = errorRow(code);
      if (retry === 'reauthenticate') expect({ code, status }).toEqual({ code, status: 401 });
      if (status !== undefined && status >= 500) expect({ code, retry }).toEqual({ code, retry: 'retry' });
      if (status === 429) expect({ code, retry }).toEqual({ code, retry: 'retry' });
    }
  });

  it('agree with the class of the close that they cause', () => {
    const classes = { retry: 'retry', reauthenticate: 'reauthenticate', never: 'terminal', change: undefined } as const;
    for (const code of codes) {
      const { retry, close } = errorRow(code);
      if (close) expect({ code, class: closeClass(closeCodes[close]) }).toEqual({ code, class: classes[retry] });
    }
  });

  it('are carried by an error that says what is wrong', () => {
    const error = new ProtocolError('too_large', 'frame');
    expect(error).toMatchObject({ name: 'ProtocolError', code: 'too_large', message: 'too_large: frame' });
    expect(error).toBeInstanceOf(Error);
  });
});

describe('close codes', () => {
  it('are distinct, and in the range of their class', () => {
    const numbers = Object.values(closeCodes);
    expect(new Set(numbers).size).toBe(numbers.length);
    for (const number of numbers) expect(number >= 4_100 && number < 4_400).toBe(true);
  });

  it.each([
    [1_000, 'retry'],
    [1_006, 'retry'],
    [1_012, 'retry'],
    [4_000, 'retry'],
    [4_199, 'retry'],
    [4_200, 'reauthenticate'],
    [4_299, 'reauthenticate'],
    [4_300, 'terminal'],
    [4_399, 'terminal'],
    [4_400, 'retry'],
  ])('%i means %s', (code, meaning) => {
    expect(closeClass(code)).toBe(meaning);
  });
});

describe('limits', () => {
  it('are positive', () => {
    for (const [name, value] of Object.entries(limits)) expect({ name, ok: value > 0 }).toEqual({ name, ok: true });
  });

  it('fit into each other: a text in a frame, a frame in a ciphertext, a ciphertext in a batch, an envelope in a window', () => {
    const framed = paddedLength(limits.textMaxBytes + 10_000);
    expect(framed).toBeLessThanOrEqual(limits.frameMaxBytes);
    expect(limits.frameMaxBytes + 4_096).toBeLessThanOrEqual(limits.ciphertextMaxBytes);
    expect(limits.ciphertextMaxBytes * 2).toBeLessThanOrEqual(limits.batchMaxBytes);
    expect(envelopeMaxBytes).toBeLessThanOrEqual(limits.deliverWindowBytes);
    expect(downBatchMaxBytes).toBeGreaterThan(limits.deliverWindowBytes + envelopeMaxBytes);
  });

  it('keep the results of a whole window, and hold the guard against clocks longer than mail', () => {
    expect(limits.resultsRemembered).toBeGreaterThanOrEqual(limits.windowPerHandle);
    expect(limits.directDedupeMs).toBeGreaterThanOrEqual(limits.mailboxTtlMs);
    expect(limits.counterTtlMs).toBeGreaterThan(limits.mailboxTtlMs);
    expect(limits.heartbeatLostMs).toBeGreaterThanOrEqual(2 * limits.heartbeatMs);
  });
});
