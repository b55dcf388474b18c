import { closeCodes, limits, type Down, type ErrorCode } from '@waxwing/protocol';
import { describe, expect, test } from 'vitest';
import { MAILBOX, OTHER_MAILBOX, Scene, accepted, deliver, ready, submit } from './fake-relay.ts';

const stateNames = ({ states }: Scene) => states.map(({ type }) => type);

describe('connecting', () => {
  test('answers the challenge, and is live after Drained', async () => {
    const scene = new Scene();
    expect(scene.link.state).toEqual({ type: 'down' });
    await scene.makeLive();
    expect(scene.channel.sent.map(({ type }) => type)).toEqual(['authenticate']);
    expect(stateNames(scene)).toEqual(['connecting', 'draining', 'live']);
    expect(scene.told).toEqual(['ready', 'drained']);
  });

  test('start twice dials once', async () => {
    const scene = new Scene();
    scene.link.start();
    scene.link.start();
    expect(scene.channels).toHaveLength(1);
    await scene.makeReady();
    scene.link.start();
    expect(scene.channels).toHaveLength(1);
  });

  test('learns how far the local clock is off', async () => {
    const scene = new Scene();
    scene.link.start();
    scene.channel.say(scene.challenge({ serverTimeMs: scene.runtime.clock.now() - 90_000 }));
    expect(scene.link.clockSkewMs).toBe(-90_000);
  });

  test('gives up a handshake that is not done in time, wherever it hangs', async () => {
    const hangs: ((scene: Scene) => Promise<void> | void)[] = [
      () => undefined,
      (scene) => scene.channel.handlers.opened(),
      (scene) => {
        scene.answer = () => new Promise(() => undefined);
        scene.channel.say(scene.challenge());
      },
      async (scene) => {
        await scene.runtime.advanceAsync(limits.requestTimeoutMs / 2);
        scene.channel.say(scene.challenge(), { type: 'heartbeat' });
      },
    ];
    for (const hang of hangs) {
      const scene = new Scene();
      const startedMs = scene.runtime.clock.now();
      scene.link.start();
      await hang(scene);
      await scene.runtime.advanceAsync(startedMs + limits.requestTimeoutMs - scene.runtime.clock.now() - 1);
      expect(scene.link.state.type).toBe('connecting');
      await scene.runtime.advanceAsync(1);
      expect(scene.link.state.type).toBe('down');
      expect(scene.channel.closedByDevice).toBe(true);
    }
  });

  test('an answer that fails ends the attempt, and the next one asks again', async () => {
    const scene = new Scene();
    const { answer } = scene;
    scene.answer = () => Promise.reject(new Error('disk full'));
    scene.link.start();
    scene.channel.say(scene.challenge());
    await scene.runtime.advanceAsync(0);
    expect(scene.link.state).toMatchObject({ type: 'down', reason: 'unanswered' });
    scene.answer = answer;
    await scene.passWait();
    await scene.makeReady();
    expect(scene.link.state.type).toBe('draining');
  });

  test('an answer that comes after the connection ended is not sent', async () => {
    const scene = new Scene();
    const { answer } = scene;
    let release: () => void = () => undefined;
    scene.answer = async (challenge) => {
      await new Promise<void>((go) => (release = go));
      return answer(challenge);
    };
    scene.link.start();
    scene.channel.say(scene.challenge());
    scene.channel.end(1006);
    release();
    await scene.runtime.advanceAsync(0);
    expect(scene.channels[0]!.sent).toEqual([]);
  });

  test('stops where relay and device share no version', async () => {
    const scene = new Scene();
    scene.link.start();
    scene.channel.say(scene.challenge({ versions: [7, 8] }));
    expect(scene.link.state).toEqual({ type: 'stopped', reason: 'unsupported_version' });
  });
});

describe('reconnecting', () => {
  test('waits a random part of a ceiling that doubles to its maximum, and starts over after Drained', async () => {
    const scene = new Scene();
    scene.link.start();
    const waits: number[] = [];
    for (let failures = 0; failures < 40; failures++) {
      scene.channel.end(1006);
      waits.push(scene.waitMs);
      expect(scene.waitMs).toBeLessThan(Math.min(limits.reconnectMaxMs, limits.reconnectFirstMs * 2 ** failures));
      await scene.passWait();
    }
    const late = waits.slice(10);
    expect(Math.min(...late)).toBeLessThan(limits.reconnectMaxMs / 4);
    expect(Math.max(...late)).toBeGreaterThan((limits.reconnectMaxMs / 4) * 3);
    await scene.makeReady();
    scene.channel.say({ type: 'drained' });
    scene.channel.end(1006);
    expect(scene.waitMs).toBeLessThan(limits.reconnectFirstMs);
  });

  test('two devices sent away together do not come back together', async () => {
    const [a, b] = [new Scene(1), new Scene(2)];
    for (const scene of [a, b]) {
      await scene.makeLive();
      scene.channel.say({ type: 'go_away', retryAfterMs: 5_000 });
      scene.channel.end(closeCodes.going_away, 'unavailable');
    }
    expect(a.waitMs).not.toBe(b.waitMs);
  });

  test('stays away as long as GoAway or a refused upgrade asks, and no longer than the maximum', async () => {
    const scene = new Scene();
    await scene.makeLive();
    scene.channel.say({ type: 'go_away', retryAfterMs: 30_000 });
    expect(scene.link.state.type).toBe('live');
    scene.channel.end(closeCodes.going_away);
    expect(scene.waitMs).toBeGreaterThanOrEqual(30_000);
    expect(scene.waitMs).toBeLessThan(30_000 + limits.reconnectFirstMs);
    await scene.passWait();
    scene.channel.end(1006, 'unavailable', 7_000);
    expect(scene.waitMs).toBeGreaterThanOrEqual(7_000);
    expect(scene.waitMs).toBeLessThan(7_000 + 2 * limits.reconnectFirstMs);
    await scene.passWait();
    scene.channel.end(1006, 'unavailable', 2 ** 31);
    expect(scene.waitMs).toBeLessThan(limits.retryAfterMaxMs + limits.reconnectMaxMs);
  });

  test('start ends a wait, which then dials no second time', async () => {
    const scene = new Scene();
    scene.link.start();
    scene.channel.end(1006, 'unavailable', 5_000);
    const { waitMs } = scene;
    scene.link.start();
    expect(scene.channels).toHaveLength(2);
    await scene.makeReady();
    await scene.runtime.advanceAsync(waitMs);
    expect(scene.channels).toHaveLength(2);
    expect(scene.link.state.type).toBe('draining');
  });

  test.each<[ErrorCode, number]>([
    ['displaced', closeCodes.displaced],
    ['cloned', closeCodes.cloned],
    ['device_removed', closeCodes.device_removed],
    ['malformed', closeCodes.malformed],
  ])('does not follow a close for good: %s', async (reason, code) => {
    for (const text of [reason, '']) {
      const scene = new Scene();
      await scene.makeLive();
      scene.channel.end(code, text);
      expect(scene.link.state).toEqual({ type: 'stopped', reason });
      await scene.runtime.advanceAsync(3_600_000);
      expect(scene.channels).toHaveLength(1);
      expect(scene.runtime.timersSet).toBe(0);
      scene.link.start();
      await scene.makeReady();
      expect(scene.link.state.type).toBe('draining');
    }
  });

  test('tries a fresh token at once, then with backoff, and stops at the third refusal for one reason', async () => {
    const scene = new Scene();
    scene.link.start();
    scene.channel.end(closeCodes.needs_auth, 'token_expired');
    expect(scene.waitMs).toBe(0);
    await scene.passWait();
    scene.channel.end(closeCodes.needs_auth, 'token_expired');
    expect(scene.link.state).toMatchObject({ type: 'down', reason: 'token_expired' });
    await scene.passWait();
    scene.channel.end(closeCodes.needs_auth, 'token_expired');
    expect(scene.link.state).toEqual({ type: 'stopped', reason: 'token_expired' });
  });

  test('refusals for changing reasons go on, but only the first retry is at once', async () => {
    const scene = new Scene();
    scene.link.start();
    let atOnce = 0;
    for (let i = 0; i < 10; i++) {
      scene.channel.end(closeCodes.needs_auth, i % 2 ? 'token_expired' : 'token_rejected');
      if (scene.waitMs === 0) atOnce++;
      await scene.passWait();
    }
    expect(atOnce).toBeLessThanOrEqual(2);
    await scene.makeReady();
    scene.channel.end(closeCodes.needs_auth, 'token_expired');
    expect(scene.waitMs).toBe(0);
  });
});

describe('silence', () => {
  test('heartbeats carry the committed position of this mailbox only', async () => {
    const scene = new Scene();
    await scene.makeLive();
    scene.committed = { incarnation: MAILBOX, number: 5 };
    await scene.runtime.advanceAsync(limits.heartbeatMs);
    scene.committed = { incarnation: OTHER_MAILBOX, number: 9 };
    await scene.runtime.advanceAsync(limits.heartbeatMs);
    expect(scene.channel.sentOf('heartbeat')).toEqual([
      { type: 'heartbeat', committed: { incarnation: MAILBOX, number: 5 } },
      { type: 'heartbeat' },
    ]);
  });

  test('drops a connection on which nothing came for heartbeatLostMs, and keeps one that is heard', async () => {
    const scene = new Scene();
    await scene.makeLive();
    for (let i = 0; i < 5; i++) {
      await scene.runtime.advanceAsync(limits.heartbeatLostMs - 1);
      scene.channel.say({ type: 'heartbeat' });
    }
    expect(scene.link.state.type).toBe('live');
    await scene.runtime.advanceAsync(limits.heartbeatLostMs - 1);
    expect(scene.link.state.type).toBe('live');
    await scene.runtime.advanceAsync(1);
    expect(scene.link.state.type).not.toBe('live');
    expect(scene.channels[0]!.closedByDevice).toBe(true);
  });

  test('ignores what an ended connection still says', async () => {
    const scene = new Scene();
    await scene.makeLive();
    const old = scene.channel;
    await scene.runtime.advanceAsync(limits.heartbeatLostMs);
    const told = scene.told.length;
    old.say(deliver(1));
    old.end(closeCodes.displaced, 'displaced');
    expect(scene.told).toHaveLength(told);
    expect(scene.link.state.type).not.toBe('stopped');
  });
});

describe('what the relay must not say', () => {
  const early: Down[] = [
    ready(),
    deliver(1),
    { type: 'drained' },
    { type: 'marks', marks: [] },
    { type: 'prekeys_low' },
  ];
  test.each(early)('$type before its time drops the connection and tells nobody', async (down) => {
    const scene = new Scene();
    scene.link.start();
    scene.channel.say(down);
    expect(scene.link.state).toMatchObject({ type: 'down', reason: 'unexpected' });
    expect(scene.channel.closedByDevice).toBe(true);
    expect(scene.told).toEqual([]);
  });

  test('a second challenge, Ready or Drained drops the connection', async () => {
    for (const again of ['challenge', 'ready', 'drained']) {
      const scene = new Scene();
      await scene.makeLive();
      scene.channel.say(again === 'challenge' ? scene.challenge() : again === 'ready' ? ready() : { type: 'drained' });
      expect(scene.link.state).toMatchObject({ type: 'down', reason: 'unexpected' });
    }
  });

  test('malformed bytes drop the connection, and requests on it are lost', async () => {
    const scene = new Scene();
    await scene.makeLive();
    const answer = scene.link.submit(submit());
    scene.channel.handlers.received(Uint8Array.of(0xff, 0xff));
    expect(scene.link.state).toMatchObject({ type: 'down', reason: 'malformed' });
    expect(await answer).toEqual({ type: 'lost' });
    await scene.passWait();
    expect(scene.link.state.type).toBe('connecting');
  });
});

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
