import { proveKill } from '../kill/proof.ts';
import { proveSteps } from '../../test/support/steps-proof.ts';
import { stepNames } from '../../test/support/step-client.ts';
import { seededRandom } from '../../test/support/seeded.ts';
import { failpoints, type Failpoint } from './orders.ts';
import { reported, strikes, type FaultReport, type Size, type Strike } from './report.ts';

/** Everybody may be away for so long until the relay has met its failpoint: then there is none to meet. */
const FAILPOINT_MS = 60_000;

/** The relay is killed with -9 at any moment. Seen: it ended by that signal. */
const random: Strike = async ({ relay }) => {
  const { process } = relay;
  await relay.kill();
  await relay.start('shipped');
  return process.ended?.signal === 'SIGKILL';
};

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
    kinds: { random, ...Object.fromEntries(failpoints.map((at) => [at, killedAt(at)])) },
  });
}

/** F1 at random: relay, sender and receiver are killed while messages flow one way and then the other. */
export function allKills({ runs, seed }: Size): Promise<FaultReport> {
  const shown: Record<string, number> = {};
  return reported({ fault: 'F1-all', how: 'the kill proof: relay, sender, receiver', seed, runs, shown }, async () => {
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

/** F19: a client is killed at each step of its work; the steps proof. */
export function clientSteps({ runs, seed }: Size): Promise<FaultReport> {
  const shown: Record<string, number> = Object.fromEntries(stepNames.map((step) => [step, 0]));
  const perStep = Math.ceil(runs / stepNames.length);
  return reported({ fault: 'F19', how: 'the steps proof: kill -9 at each step', seed, runs, shown }, async () => {
    const { kills, messages, lost, duplicated, outOfOrder, cloned } = await proveSteps(perStep, seededRandom(seed));
    Object.assign(shown, kills);
    return { messages, lost, duplicated, outOfOrder, cloned };
  });
}
