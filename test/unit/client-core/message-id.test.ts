import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { messageIdOf, newMessageId } from '../../../client-core/src/message-id.ts';
import { createManualRuntime } from '../../kit/src/manual-runtime.ts';

const ANY_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('a message id', () => {
  test('of an app key is one UUID for one text, ever', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(messageIdOf(a)).toMatch(ANY_UUID);
        expect(messageIdOf(a)).toBe(messageIdOf(a));
        expect(messageIdOf(a) === messageIdOf(b)).toBe(a === b);
      }),
    );
    expect(messageIdOf('order-17')).toBe('50c9d864-80a1-8f4a-b209-2d5c8a4f3a3e');
  });

  test('that is a UUIDv7 already is itself, in lower case; of another version it is a text', () => {
    const id = '01890000-0000-7000-8000-00000000abcd';
    expect(messageIdOf(id)).toBe(id);
    expect(messageIdOf(id.toUpperCase())).toBe(id);
    const four = '01890000-0000-4000-8000-00000000abcd';
    expect(messageIdOf(four)).not.toBe(four);
  });

  test('that is made anew carries the time and is another one each time', () => {
    const runtime = createManualRuntime({ seed: 3 });
    const [first, second] = [newMessageId(runtime), newMessageId(runtime)];
    expect(first).not.toBe(second);
    runtime.advance(1_000);
    const later = newMessageId(runtime);
    expect(later > first && later > second).toBe(true);
    expect(Number.parseInt(later.replace('-', '').slice(0, 12), 16)).toBe(runtime.clock.now());
  });
});
