import { closeCodes, limits, type Down, type ErrorCode } from '@waxwing/protocol';
import { describe, expect, test } from 'vitest';
import { MAILBOX, OTHER_MAILBOX, Scene, deliver, ready, submit } from './fake-relay.ts';

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
