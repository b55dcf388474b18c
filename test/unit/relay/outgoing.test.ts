import { decodeDownBatch, downBatchMaxBytes, limits, type Down } from '@waxwing/protocol';
import { describe, expect, it } from 'vitest';
import { createOutgoing } from '../../../relay/src/outgoing.ts';
import { createTurn } from '../../../relay/src/turn.ts';
import { createManualRuntime } from '../../kit/src/manual-runtime.ts';

function outgoing() {
  const runtime = createManualRuntime();
  const sent: Uint8Array[] = [];
  const told = { flowing: 0, stuck: 0 };
  let buffered = 0;
  let turn: (() => void)[] = [];
  const queue = createOutgoing({
    channel: {
      form: 'binary',
      send: (bytes) => sent.push(bytes),
      bufferedBytes: () => buffered,
      close: () => undefined,
      terminate: () => undefined,
    },
    timers: runtime.timers,
    turn: createTurn((call) => turn.push(call)),
    onFlowing: () => (told.flowing += 1),
    onStuck: () => (told.stuck += 1),
  });
  return {
    queue,
    runtime,
    sent,
    told,
    setBuffered: (bytes: number) => (buffered = bytes),
    endTurn: (): void => {
      const calls = turn;
      turn = [];
      for (const call of calls) call();
    },
    downs: (): Down[] => sent.flatMap((bytes) => decodeDownBatch(bytes)),
  };
}

const heartbeat: Down = { type: 'heartbeat' };
const deliver = (number: number, bytes: number): Down => ({
  type: 'deliver',
  position: { incarnation: 'AAAAAAAAAAA', number },
  envelope: Buffer.alloc(bytes, 1),
});

describe('what is said in one turn', () => {
  it('is written once, at its end, in order', () => {
    const { queue, sent, endTurn, downs } = outgoing();
    queue.push(heartbeat);
    queue.push({ type: 'drained' });
    queue.push({ type: 'prekeys_low' });
    expect(sent).toHaveLength(0);
    endTurn();
    expect(sent).toHaveLength(1);
    expect(downs().map(({ type }) => type)).toEqual(['heartbeat', 'drained', 'prekeys_low']);
    endTurn();
    expect(sent).toHaveLength(1);
  });

  it('is split into batches that a device takes, whatever it is', () => {
    const { queue, sent, endTurn, downs } = outgoing();
    for (let number = 1; number <= 40; number += 1) queue.push(deliver(number, number % 2 === 0 ? 98_000 : 3_000));
    for (let i = 0; i < 600; i += 1) queue.push(heartbeat);
    endTurn();
    expect(sent.length).toBeGreaterThan(3);
    for (const bytes of sent) expect(bytes.length).toBeLessThanOrEqual(limits.batchMaxBytes);
    expect(Math.max(...sent.map((bytes) => bytes.length))).toBeLessThan(downBatchMaxBytes);
    for (const bytes of sent) expect(decodeDownBatch(bytes).length).toBeLessThanOrEqual(limits.batchMaxMessages);
    const numbers = downs().flatMap((down) => (down.type === 'deliver' ? [down.position.number] : []));
    expect(numbers).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    expect(downs()).toHaveLength(640);
  });

  it('and not flushed yet counts as buffered', () => {
    const { queue, endTurn } = outgoing();
    queue.push(deliver(1, limits.socketBufferBytes + 1));
    expect(queue.room()).toBe(0);
    endTurn();
    expect(queue.room()).toBeGreaterThan(0);
  });
});

describe('a channel that does not drain', () => {
  it('is stuck after stuckSocketMs without a break, not before', () => {
    const { queue, runtime, told, setBuffered, endTurn } = outgoing();
    setBuffered(limits.socketBufferBytes + 1);
    queue.push(heartbeat);
    endTurn();
    expect(told).toEqual({ flowing: 0, stuck: 0 });
    runtime.advance(limits.stuckSocketMs - 1);
    setBuffered(limits.socketBufferBytes);
    queue.drained();
    expect(told).toEqual({ flowing: 1, stuck: 0 });
    setBuffered(limits.socketBufferBytes + 1);
    queue.drained();
    runtime.advance(limits.stuckSocketMs - 1);
    expect(told.stuck).toBe(0);
    runtime.advance(1);
    expect(told.stuck).toBe(1);
  });

  it('is stuck at once over socketBufferMaxBytes', () => {
    const { queue, told, setBuffered, endTurn } = outgoing();
    setBuffered(limits.socketBufferMaxBytes + 1);
    queue.push(heartbeat);
    endTurn();
    expect(told.stuck).toBe(1);
  });

  it('is told nothing and sets no timer after the end', () => {
    const { queue, runtime, sent, told, setBuffered, endTurn } = outgoing();
    setBuffered(limits.socketBufferBytes + 1);
    queue.push(heartbeat);
    endTurn();
    queue.stop();
    queue.push(heartbeat);
    endTurn();
    runtime.advance(2 * limits.stuckSocketMs);
    expect(sent).toHaveLength(1);
    expect(told).toEqual({ flowing: 0, stuck: 0 });
    expect(runtime.timersSet).toBe(0);
  });
});
