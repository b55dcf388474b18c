import { proveKill } from '../kill/proof.ts';
import { proveSteps } from '../../test/support/steps-proof.ts';
import { stepNames } from '../../test/support/step-client.ts';
import { seededRandom } from '../../test/support/seeded.ts';
import { failpoints, type Failpoint } from './orders.ts';
import type { RelayKind } from './relay-process.ts';
import { reported, strikes, WEAKENED_SETTLE_MS, type FaultReport, type Size, type Strike } from './report.ts';

/** Everybody may be away for so long until the relay has met its failpoint: then there is none to meet. */
const FAILPOINT_MS = 60_000;

/** The relay is killed with -9 at any moment, and comes back. Seen: it ended by that signal. */
function random(kind: RelayKind): Strike {
  return async ({ relay }) => {
    const { process } = relay;
    await relay.kill();
    await relay.start(kind);
    return process.ended?.signal === 'SIGKILL';
  };
}

/** It is killed when one has said what the other, who is away, cannot hear yet. Seen: what was reported sent was not received. */
function unheard(kind: RelayKind): Strike {
  return async (world) => {
    const { speaker, listener } = world.parted();
    await world.settle();
    listener.proxy.refuse();
    listener.proxy.reset();
    world.talk();
    await speaker.until(() => speaker.sent.size === speaker.said.length, 30_000);
    const { process } = world.relay;
    await world.relay.kill();
    const waiting = speaker.said.filter((text) => speaker.sent.has(text) && !listener.received.has(text));
    await world.relay.start(kind);
    listener.proxy.accept();
    return process.ended?.signal === 'SIGKILL' && waiting.length > 0;
  };
}

/** Comes back as a relay that kills itself at this point (the first time where reads and acks come in batches), is spoken through until it does, and comes back whole. */
function killedAt(at: Failpoint): Strike {
  return async (world) => {
    const { relay } = world;
    await relay.kill();
    await relay.start({
      pace: 1,
      failpoint: { at, occurrence: at === 'accepted' || at === 'delivered' ? 1 : 1 + world.below(4) },
    });
    const { process } = relay;
    world.talk();
    const exit = await process.exit(FAILPOINT_MS);
    await relay.start('shipped');
    return exit.signal === 'SIGKILL' && process.lines.some((line) => line.includes('"failpoint"'));
  };
}

/** F1: the relay is killed, at random and at each point between a submit and its ack. */
export function relayKills(size: Size): Promise<FaultReport> {
  return strikes({
    ...size,
    fault: 'F1',
    how: 'kill -9 of the relay at random, and by itself at points of a composed one',
    kinds: {
      ...{ random: random('shipped'), unheard: unheard('shipped') },
      ...Object.fromEntries(failpoints.map((at) => [at, killedAt(at)])),
    },
  });
}

/** F1 with a relay that says `accepted` before its commit is made: it must not pass. */
export function lateRelayKills(size: Size): Promise<FaultReport> {
  const late = { pace: 1, late: true } as const;
  return strikes({
    ...size,
    fault: 'F1-late',
    how: 'kill -9 of a relay that answers before its commit is made',
    relay: late,
    settleMs: WEAKENED_SETTLE_MS,
    kinds: { random: random(late), unheard: unheard(late) },
  });
}

/** F1 at random: relay, sender and receiver are killed while messages flow one way and then the other. */
export function allKills({ runs, seed }: Size): Promise<FaultReport> {
  const shown: Record<string, number> = {};
  const due = { relay: 1, sender: 1, receiver: 1 };
  const how = 'the kill proof: relay, sender, receiver';
  return reported({ fault: 'F1-all', how, seed, runs, due, shown }, async () => {
    const { messages, killed, lost, duplicated, outOfOrder, holes, historiesEqual, tail } = await proveKill({
      messagesEachWay: 10 * runs,
      kills: runs,
      seed,
    });
    Object.assign(shown, killed);
    return {
      ...{ messages, duplicated, holes, historiesEqual, unmarkedRepeats: tail.unmarkedRepeats },
      ...{ lost: lost + tail.lost, outOfOrder: outOfOrder + tail.outOfOrder },
    };
  });
}

/** F19: a client is killed at each step of its work; the steps proof. `late`: one that commits after it acks and sends: it must not pass. */
export function clientSteps({ runs, seed }: Size, late = false): Promise<FaultReport> {
  const perStep = Math.ceil(runs / stepNames.length);
  const due = Object.fromEntries(stepNames.map((step) => [step, perStep]));
  const shown: Record<string, number> = {};
  const fault = late ? 'F19-late' : 'F19';
  const how = `the steps proof: kill -9 at each step${late ? ' of a client that commits after it acks and sends' : ''}`;
  return reported({ fault, how, seed, runs, due, shown }, async () => {
    const { kills, messages, lost, duplicated, outOfOrder, cloned } = await proveSteps(
      perStep,
      seededRandom(seed),
      undefined,
      late ? { late } : {},
    );
    Object.assign(shown, kills);
    return { messages, lost, duplicated, outOfOrder, cloned };
  });
}
