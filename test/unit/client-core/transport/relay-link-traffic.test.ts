import { limits } from '@waxwing/protocol';
import { describe, expect, test } from 'vitest';
import { MAILBOX, OTHER_MAILBOX, Scene, accepted, deliver, ready, submit } from './fake-relay.ts';

describe('what is delivered', () => {
  test('comes one batch at a time, in order with marks and Drained', async () => {
    const scene = new Scene();
    scene.link.start();
    await scene.makeReady();
    const marks = [{ from: 1, to: 2, count: 2, reason: 'expired' as const }];
    scene.channel.say(
      { type: 'prekeys_low' },
      { type: 'marks', marks },
      deliver(3),
      deliver(4),
      { type: 'drained' },
      deliver(5),
    );
    expect(scene.told).toEqual(['ready', 'prekeysLow', 'marked 1', 'delivered 3 4', 'drained', 'delivered 5']);
  });

  test('ends within a batch where the app stops', async () => {
    const scene = new Scene();
    scene.link.start();
    await scene.makeReady();
    scene.onDelivered = () => scene.link.stop();
    scene.channel.say(deliver(1), { type: 'drained' }, deliver(2));
    expect(scene.told).toEqual(['ready', 'delivered 1']);
  });
});

describe('acks', () => {
  test('go at once, then the newest for all within ackDelayMs', async () => {
    const scene = new Scene();
    await scene.makeLive();
    const numbers = () => scene.channel.sentOf('ack').map(({ committed }) => committed.number);
    for (const number of [1, 2, 3]) scene.link.ack({ incarnation: MAILBOX, number });
    await scene.runtime.advanceAsync(0);
    expect(numbers()).toEqual([1]);
    await scene.runtime.advanceAsync(limits.ackDelayMs);
    expect(numbers()).toEqual([1, 3]);
    scene.link.ack({ incarnation: MAILBOX, number: 2 });
    scene.link.ack({ incarnation: MAILBOX, number: 3 });
    await scene.runtime.advanceAsync(limits.ackDelayMs * 3);
    expect(numbers()).toEqual([1, 3]);
  });

  test('do not wait where half the window is unacked', async () => {
    const scene = new Scene();
    await scene.makeLive();
    scene.link.ack({ incarnation: MAILBOX, number: 1 });
    scene.channel.say(deliver(2, 70_000), deliver(3, 70_000));
    scene.link.ack({ incarnation: MAILBOX, number: 3 });
    await scene.runtime.advanceAsync(0);
    expect(scene.channel.sentOf('ack').map(({ committed }) => committed.number)).toEqual([1, 3]);
  });

  test('of another mailbox are dropped, pending ones too when the mailbox restarts', async () => {
    const scene = new Scene();
    await scene.makeLive();
    scene.link.ack({ incarnation: OTHER_MAILBOX, number: 1 });
    scene.link.ack({ incarnation: MAILBOX, number: 7 });
    scene.link.ack({ incarnation: MAILBOX, number: 8 });
    scene.channel.say({ type: 'mailbox_restarted', incarnation: OTHER_MAILBOX });
    scene.link.ack({ incarnation: MAILBOX, number: 9 });
    scene.link.ack({ incarnation: OTHER_MAILBOX, number: 1 });
    await scene.runtime.advanceAsync(limits.ackDelayMs);
    expect(scene.channel.sentOf('ack').map(({ committed }) => committed)).toEqual([
      { incarnation: MAILBOX, number: 7 },
      { incarnation: OTHER_MAILBOX, number: 1 },
    ]);
  });

  test('that are pending leave before a stop', async () => {
    const scene = new Scene();
    await scene.makeLive();
    for (const number of [1, 2]) scene.link.ack({ incarnation: MAILBOX, number });
    scene.link.stop();
    expect(scene.channel.sentOf('ack').map(({ committed }) => committed.number)).toEqual([1, 2]);
    expect(scene.channel.closedByDevice).toBe(true);
    expect(scene.link.state).toEqual({ type: 'stopped', reason: 'closed' });
    expect(scene.runtime.timersSet).toBe(0);
  });
});

describe('requests', () => {
  test('are lost at once while nothing may be submitted', async () => {
    const scene = new Scene();
    expect(await scene.link.submit(submit())).toEqual({ type: 'lost' });
    scene.link.start();
    expect(await scene.link.submit(submit())).toEqual({ type: 'lost' });
    await expect(scene.link.heads([])).resolves.toEqual([]);
    await expect(scene.link.heads([submit().handle])).rejects.toMatchObject({ code: 'unreachable' });
    await scene.makeReady();
    void scene.link.submit(submit());
    await scene.runtime.advanceAsync(0);
    expect(scene.channel.sentOf('submit')).toHaveLength(1);
  });

  test('get their own answers, whatever the order', async () => {
    const scene = new Scene();
    await scene.makeLive();
    const answers = [1, 2, 3].map((n) => scene.link.submit(submit(n)));
    await scene.runtime.advanceAsync(0);
    const requests = scene.channel.sentOf('submit').map(({ request }) => request);
    scene.channel.say(accepted(requests[2]!, 3), accepted(99), accepted(requests[0]!, 1));
    scene.channel.say({
      type: 'rejected',
      request: requests[1]!,
      code: 'out_of_order',
      retryAfterMs: 0,
      mismatches: [],
    });
    expect(await Promise.all(answers)).toMatchObject([{ n: 1 }, { code: 'out_of_order' }, { n: 3 }]);
  });

  test('are lost when the connection ends, however it ends', async () => {
    for (const end of ['closed', 'stop'] as const) {
      const scene = new Scene();
      await scene.makeLive();
      const answer = scene.link.submit(submit());
      const heads = scene.link.heads([submit().handle]).catch((error: unknown) => error);
      if (end === 'stop') scene.link.stop();
      else scene.channel.end(1006);
      expect(await answer).toEqual({ type: 'lost' });
      expect(await heads).toMatchObject({ code: 'unreachable', retryable: true });
    }
  });

  test('that are not answered in time drop the connection, though it is heard', async () => {
    const scene = new Scene();
    await scene.makeLive();
    const answer = scene.link.submit(submit());
    for (let waited = 0; waited < limits.requestTimeoutMs; waited += 1_000) {
      expect(scene.link.state.type).toBe('live');
      scene.channel.say({ type: 'heartbeat' });
      await scene.runtime.advanceAsync(1_000);
    }
    expect(await answer).toEqual({ type: 'lost' });
    expect(scene.channels[0]!.closedByDevice).toBe(true);
  });

  test('an answer of another kind than was asked drops the connection', async () => {
    const scene = new Scene();
    await scene.makeLive();
    const answer = scene.link.submit(submit());
    await scene.runtime.advanceAsync(0);
    scene.channel.say({ type: 'heads_reply', request: scene.channel.sentOf('submit')[0]!.request, heads: [] });
    expect(await answer).toEqual({ type: 'lost' });
    expect(scene.link.state).toMatchObject({ type: 'down', reason: 'unexpected' });
  });

  test('for heads in any number are asked in parts, and a refusal rejects with its code', async () => {
    const scene = new Scene();
    await scene.makeLive();
    const handles = Array.from({ length: limits.handlesPerHeads + 1 }, () => submit().handle);
    const heads = scene.link.heads(handles);
    for (const length of [limits.handlesPerHeads, 1]) {
      await scene.runtime.advanceAsync(0);
      const asked = scene.channel.sentOf('heads').at(-1)!;
      expect(asked.handles).toHaveLength(length);
      scene.channel.say({
        type: 'heads_reply',
        request: asked.request,
        heads: asked.handles.map((handle) => ({ handle })),
      });
    }
    expect(await heads).toHaveLength(limits.handlesPerHeads + 1);
    const refused = scene.link.heads(handles.slice(1));
    await scene.runtime.advanceAsync(0);
    const { request } = scene.channel.sentOf('heads').at(-1)!;
    scene.channel.say({ type: 'rejected', request, code: 'rate_limited', retryAfterMs: 5, mismatches: [] });
    await expect(refused).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 5 });
  });
});

test('a request that was answered in time never drops the connection', async () => {
  const scene = new Scene();
  await scene.makeLive();
  const answer = scene.link.submit(submit());
  await scene.runtime.advanceAsync(0);
  scene.channel.say(accepted(scene.channel.sentOf('submit')[0]!.request));
  expect(await answer).toMatchObject({ type: 'accepted' });
  await scene.runtime.advanceAsync(limits.requestTimeoutMs);
  expect(scene.link.state.type).toBe('live');
});

describe('batches', () => {
  test('of one turn leave together', async () => {
    const scene = new Scene();
    await scene.makeLive();
    for (let n = 1; n <= 5; n++) void scene.link.submit(submit(n));
    scene.link.ack({ incarnation: MAILBOX, number: 1 });
    await scene.runtime.advanceAsync(0);
    expect(scene.channel.batches.map((batch) => batch.length)).toEqual([1, 6]);
  });

  test.each([20, 60_000])(
    'of messages of %i bytes keep the limits of count and bytes, and the order',
    async (bytes) => {
      const scene = new Scene();
      await scene.makeLive();
      for (let n = 1; n <= 600; n++) void scene.link.submit(submit(n, n % 7 === 0 ? bytes : 20));
      await scene.runtime.advanceAsync(0);
      const batches = scene.channel.batches.slice(1);
      expect(batches.length).toBeGreaterThanOrEqual(3);
      for (const batch of batches) expect(batch.length).toBeLessThanOrEqual(limits.batchMaxMessages);
      expect(scene.channel.sentOf('submit').map(({ n }) => n)).toEqual(Array.from({ length: 600 }, (_, i) => i + 1));
    },
  );

  test('never carry a message over the limit, which is rejected without ending the connection', async () => {
    const scene = new Scene();
    scene.link.start();
    scene.channel.say(scene.challenge({ limits: { ...scene.challenge().limits, batchMaxBytes: 10_000 } }));
    await scene.runtime.advanceAsync(0);
    scene.channel.say(ready(), { type: 'drained' });
    expect(await scene.link.submit(submit(1, 10_000))).toMatchObject({ type: 'rejected', code: 'too_large' });
    void scene.link.submit(submit(1, 9_900));
    void scene.link.submit(submit(2, 9_900));
    await scene.runtime.advanceAsync(0);
    expect(scene.channel.batches.slice(1).map((batch) => batch.length)).toEqual([1, 1]);
    expect(scene.link.state.type).toBe('live');
  });
});
