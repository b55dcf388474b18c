import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  decodeEnvelope,
  decodeFrame,
  encodeEnvelope,
  encodeFrame,
  parseEra,
  sha256,
  type Down,
} from '@waxwing/protocol';
import { contradictions } from '../../client-core/src/sync/witness.ts';
import {
  acquainted,
  alerts,
  changeSequenced,
  deliversN,
  keepBack,
  say,
  sayAll,
  shown,
  submitsOf,
} from '../support/client-talk.ts';
import { createClientWorld, type ClientWorld, type TestClient } from '../support/client-world.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let world: ClientWorld;
let alice: TestClient;
let bob: TestClient;

beforeEach(async () => {
  world = await createClientWorld();
  [alice, bob] = await acquainted(world);
  // What opening the conversation has told is said; for a minute it tells nothing again.
  await world.run(10_000);
});
afterEach(() => world.close());

/** Numbers of deliveries, by n, as a relay that renumbers gives them. */
const renumber = (numbers: Readonly<Record<number, number>>) =>
  changeSequenced((envelope) => ({
    ...envelope,
    sequence: { ...envelope.sequence, number: numbers[envelope.n] ?? envelope.sequence.number },
  }));

describe('a relay that', () => {
  test('drops one is found out by the next message: a hole stands in its place until it fills, and no alert', async () => {
    bob.link.down = (down) => (deliversN(down, 2) ? [] : [down]);
    await sayAll(world, alice, bob, 'dropped', 'next');
    await world.run(3_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 awaiting sender]', 'next']);
    await world.run(20_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'dropped', 'next']);
    expect(alerts(bob)).toEqual([]);
  });

  test('gives one the n of another that comes with it is found out: no ciphertext is taken for a copy by its n alone', async () => {
    bob.link.offline = true;
    bob.link.cut();
    await sayAll(world, alice, bob, 'second', 'third');
    bob.link.down = changeSequenced((envelope) => ({ ...envelope, n: 2 }), 3);
    bob.link.offline = false;
    await world.run(5_000);
    expect(alerts(bob)).toEqual(['frame refused: n']);
  });

  test('drops one and closes the gap in the numbers is found out by the next message', async () => {
    const closeGap = renumber({ 3: 3, 4: 4 });
    bob.link.down = (down) => (deliversN(down, 2) ? [] : closeGap(down));
    await sayAll(world, alice, bob, 'dropped', 'next');
    await world.run(3_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 lost]', 'next', `!${contradictions.seen}`]);
    expect(alerts(bob)).toEqual([contradictions.seen]);
    await world.run(10_000);
    const refused = 'repair refused: another frame at this number';
    expect((await shown(world, bob, alice)).slice(2)).toEqual([
      '[1 lost]',
      'next',
      `!${contradictions.seen}`,
      `!${refused}`,
    ]);
    expect(alerts(bob)).toEqual([contradictions.seen, refused]);
  });

  test('swaps two of one sender is found out by the second of them', async () => {
    bob.link.down = renumber({ 2: 4, 3: 3 });
    await sayAll(world, alice, bob, 'first', 'second');
    await world.run(3_000);
    expect(alerts(bob)).toEqual([contradictions.order, contradictions.seen]);
  });

  test('tells two members another order is found out by the next message', async () => {
    const toAlice = (down: Down): readonly Down[] =>
      down.type === 'accepted' && down.sequence && down.n === 2
        ? [{ ...down, sequence: { ...down.sequence, number: 4 } }]
        : [down];
    alice.link.down = (down) => renumber({ 2: 3 })(down).flatMap(toAlice);
    await sayAll(world, alice, bob, 'hers');
    await sayAll(world, bob, alice, 'his');
    await world.run(3_000);
    expect(alerts(bob)).toEqual([]);
    await sayAll(world, alice, bob, 'next');
    await world.run(3_000);
    expect(alerts(bob)).toEqual([contradictions.seen]);
  });

  test('tells two members other eras, in each of which all is in order, is found out by the next message', async () => {
    alice.link.down = (down) =>
      down.type === 'accepted' && down.sequence
        ? [{ ...down, sequence: { era: parseEra(down.sequence.era + 5), number: down.n - 1 } }]
        : [down];
    alice.link.up = (up) => {
      if (up.type !== 'submit') return [up];
      const { request, handle, n, attempt, oldest, body } = up;
      return [{ type: 'submit', request, handle, n, attempt, oldest, body }];
    };
    bob.link.down = changeSequenced((envelope) => ({
      ...envelope,
      sequence: { era: parseEra(envelope.sequence.era + 3), number: envelope.n - 1 },
    }));
    await sayAll(world, alice, bob, 'one');
    await world.run(3_000);
    expect(alerts(bob)).toEqual([]);
    await sayAll(world, alice, bob, 'two');
    await world.run(3_000);
    expect(alerts(bob)).toEqual([contradictions.seen]);
  });

  test.each([
    ['in an envelope', 3 * DAY_MS],
    ['in an envelope, further than a clock can go', Number.MAX_SAFE_INTEGER - Date.UTC(2030, 1)],
  ])('tells of an era that is yet to come ends no conversation (%s)', async (_where, aheadMs) => {
    const far = changeSequenced((envelope) => ({
      ...envelope,
      sequence: { ...envelope.sequence, era: parseEra(envelope.sequence.era + aheadMs) },
    }));
    bob.link.down = far;
    await sayAll(world, alice, bob, 'lied about');
    await world.run(5_000);
    bob.link.down = (down) => [down];
    await sayAll(world, bob, alice, 'one', 'two');
    await sayAll(world, alice, bob, 'next');
    await world.run(5_000);
    expect((await shown(world, alice, bob)).filter((item) => !item.startsWith('['))).toEqual(
      expect.arrayContaining(['lied about', 'one', 'two', 'next']),
    );
    expect(await shown(world, bob, alice)).toEqual(expect.arrayContaining(['lied about', 'one', 'two', 'next']));
    expect(alerts(bob)).toContain('an era ahead of its time');
  });

  test('gives one ciphertext as two messages at once shows a hole for the second', async () => {
    bob.link.down = (down) => {
      if (!deliversN(down, 2) || down.type !== 'deliver') return [down];
      const envelope = decodeEnvelope(down.envelope);
      if (envelope.type !== 'sequenced') return [down];
      const { sequence } = envelope;
      const again = { ...envelope, n: 3, sequence: { ...sequence, number: sequence.number + 1 } };
      const position = { ...down.position, number: down.position.number + 1 };
      return [down, { ...down, position, envelope: encodeEnvelope(again) }];
    };
    await sayAll(world, alice, bob, 'once');
    await world.run(3_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'once', '[1 undecryptable]']);
  });

  test('wants to be left alone for a month is asked again after an hour or two', async () => {
    alice.link.up = (up) => {
      if (up.type !== 'submit' || up.n !== 2) return [up];
      const { request } = up;
      alice.link.say({ type: 'rejected', request, code: 'rate_limited', retryAfterMs: 2 ** 32 - 1, mismatches: [] });
      return [];
    };
    const sent = await say(world, alice, bob, 'refused for a month');
    await world.run(10_000);
    alice.link.up = (up) => [up];
    await world.run(HOUR_MS / 2);
    expect(submitsOf(alice, 2)).toEqual([]);
    await world.run(HOUR_MS * 1.1);
    expect(sent.status.getSnapshot().state).toBe('delivered');
  });

  test('gives an old message again under a new number is found out at once', async () => {
    await sayAll(world, alice, bob, 'once');
    await world.run(1_000);
    const old = bob.link.downs.find((down) => deliversN(down, 2));
    bob.link.down = (down) => {
      if (!deliversN(down, 3) || down.type !== 'deliver' || old?.type !== 'deliver') return [down];
      const { sequence } = { sequence: undefined, ...decodeEnvelope(down.envelope) };
      const replayed = { ...decodeEnvelope(old.envelope), ...(sequence && { sequence }) };
      return [{ ...down, envelope: encodeEnvelope(replayed) }];
    };
    await sayAll(world, alice, bob, 'never comes');
    await world.run(3_000);
    expect(alerts(bob)).toEqual([contradictions.order]);
    bob.link.down = (down) => [down];
    await sayAll(world, alice, bob, 'next');
    await world.run(3_000);
    expect(alerts(bob)).toEqual([contradictions.order, contradictions.seen]);
  });
});

describe('a contact that', () => {
  const alterN = (n: number, change: (frame: ReturnType<typeof decodeFrame>) => ReturnType<typeof decodeFrame>) => {
    alice.alterFrame = (bytes) => {
      const frame = decodeFrame(bytes);
      return frame.place?.n === n ? encodeFrame(change(frame)) : bytes;
    };
  };

  test('sent this device another frame than it names next is found out by its next message', async () => {
    alterN(2, (frame) => ({ ...frame, sentAtMs: frame.sentAtMs + 1 }));
    await sayAll(world, alice, bob, 'one thing to bob');
    await world.run(3_000);
    expect(alerts(bob)).toEqual([]);
    await sayAll(world, alice, bob, 'next');
    await world.run(3_000);
    expect(alerts(bob)).toEqual([contradictions.prev, contradictions.seen]);
    expect((await shown(world, bob, alice)).slice(-2)).toEqual([`!${contradictions.prev}`, `!${contradictions.seen}`]);
  });

  test('names another frame as the first of all is found out', async () => {
    const carol = await world.online();
    carol.alterFrame = (bytes) => {
      const frame = decodeFrame(bytes);
      return frame.place ? encodeFrame({ ...frame, place: { ...frame.place, prev: sha256('else') } }) : bytes;
    };
    await sayAll(world, carol, bob, 'hello');
    await world.run(3_000);
    expect(alerts(bob)).toEqual([contradictions.prev]);
  });

  test('contradicts itself in every message is one item of the history', async () => {
    alice.alterFrame = (bytes) => {
      const frame = decodeFrame(bytes);
      return frame.place ? encodeFrame({ ...frame, place: { ...frame.place, prev: sha256('else') } }) : bytes;
    };
    await sayAll(world, alice, bob, 'a', 'b', 'c');
    await world.run(3_000);
    expect(alerts(bob).filter((what) => what === contradictions.prev)).toHaveLength(3);
    const lines = await shown(world, bob, alice);
    expect(lines.filter((line) => line === `!${contradictions.prev}`)).toHaveLength(1);
    expect(lines.indexOf(`!${contradictions.prev}`)).toBe(lines.indexOf('a') + 1);
  });

  test('claims to have seen what nobody sent makes nobody wait for more than the limit', async () => {
    alice.alterFrame = (bytes) => {
      const frame = decodeFrame(bytes);
      const seen = frame.place?.seen;
      if (!frame.place || !seen) return bytes;
      const far = { ...seen, from: 1_000_000_000, to: 1_000_000_100 };
      return encodeFrame({ ...frame, place: { ...frame.place, seen: far } });
    };
    await sayAll(world, alice, bob, 'absurd');
    await world.run(3_000);
    const lines = async (at: TestClient, peer: TestClient) =>
      (await shown(world, at, peer)).filter((line) => !line.startsWith('!'));
    expect(await lines(bob, alice)).toEqual(['hi', 'ho', 'absurd']);
    await sayAll(world, bob, alice, 'still the same era');
    await world.run(3_000);
    expect(await lines(alice, bob)).toEqual(['hi', 'ho', 'absurd', 'still the same era']);
  });
});

describe('what was not held yet is compared when it comes', () => {
  test('a frame that another one names, and a run that was seen', async () => {
    alice.alterFrame = (bytes) => {
      const frame = decodeFrame(bytes);
      return frame.place?.n === 2 ? encodeFrame({ ...frame, sentAtMs: frame.sentAtMs + 1 }) : bytes;
    };
    const kept = keepBack(bob, 2);
    await sayAll(world, alice, bob, 'kept back', 'next');
    await world.run(3_000);
    expect(alerts(bob)).toEqual([]);
    kept.release(2);
    await world.run(3_000);
    expect(alerts(bob)).toEqual([contradictions.prev, contradictions.seen]);
  });
});

describe('an honest history raises no alert', () => {
  const quiet = async () => {
    await world.run(60_000);
    expect([...alerts(alice), ...alerts(bob)]).toEqual([]);
    const lines = [...(await shown(world, alice, bob)), ...(await shown(world, bob, alice))];
    expect(lines.filter((line) => line.startsWith('!'))).toEqual([]);
  };
  const chat = async (name: string) => {
    await sayAll(world, alice, bob, `${name} a1`, `${name} a2`);
    await sayAll(world, bob, alice, `${name} b1`);
    await sayAll(world, alice, bob, `${name} a3`);
  };

  test.each(['whole', 'lost', 'restored'] as const)('when the servers start anew: %s', async (how) => {
    await chat('before');
    await world.restart(how);
    await chat('after');
    await quiet();
  });

  test('when an answer is lost and the relay forgets: one message has two places', async () => {
    alice.link.down = (down) => (down.type === 'accepted' ? [] : [down]);
    const sent = await say(world, alice, bob, 'twice');
    await world.until(() => bob.link.downs.some((down) => deliversN(down, 2)));
    await world.restart('lost');
    alice.link.down = (down) => [down];
    await world.wait(sent.reached('sent'));
    await chat('after');
    await quiet();
  });

  test('when a message that was delivered is taken back at a relay that forgot it', async () => {
    alice.link.down = (down) => (down.type === 'accepted' ? [] : [down]);
    const sent = await say(world, alice, bob, 'taken back');
    await world.until(() => bob.link.downs.some((down) => deliversN(down, 2)));
    alice.link.offline = true;
    alice.link.cut();
    await world.settle();
    await world.restart('lost');
    const cancelled = sent.cancel();
    await world.settle();
    alice.link.up = (up) => (up.type === 'submit' && up.n === 2 && up.attempt === 0 ? [] : [up]);
    alice.link.down = (down) => [down];
    alice.link.offline = false;
    expect(await world.wait(cancelled)).toBe(true);
    await chat('after');
    await quiet();
    expect(await shown(world, bob, alice)).not.toContain('[1 awaiting sender]');
  });

  test('when messages are taken back before, between and after others', async () => {
    let refusals = 0;
    alice.link.up = (up) => {
      if (up.type !== 'submit' || up.attempt > 0 || refusals > 1) return [up];
      refusals += 1;
      const { request } = up;
      alice.link.say({ type: 'rejected', request, code: 'bad_recipients', retryAfterMs: 0, mismatches: [] });
      return [];
    };
    const all = await Promise.all(['x', 'y', 'z'].map((text) => say(world, alice, bob, text)));
    await Promise.allSettled(all.map((sent) => world.wait(sent.reached('sent'))));
    expect(refusals).toBe(2);
    await chat('after');
    await quiet();
  });

  test('when deliveries come in another order', async () => {
    const kept = keepBack(bob, 2, 4);
    await sayAll(world, alice, bob, 'one', 'two', 'three', 'four');
    await world.run(3_000);
    kept.release(4);
    await world.run(100);
    kept.release(2);
    await chat('after');
    await quiet();
  });

  test('on a device that begins in the middle', async () => {
    const carol = await world.online();
    bob.link.down = (down) => (deliversN(down, 1) ? [] : [down]);
    await sayAll(world, carol, bob, 'never seen', 'the first that comes', 'next');
    await sayAll(world, bob, carol, 'answer');
    await sayAll(world, carol, bob, 'last');
    await world.run(3_000);
    expect([...alerts(bob), ...alerts(carol)]).toEqual([]);
  });
});
