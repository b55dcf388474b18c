import { isDeepStrictEqual } from 'node:util';
import { closeCodes, encodeUpBatch, isErrorCode, limits, parseEra, parseHandle, type Up } from '@waxwing/protocol';
import type { MemoryStorage, Storage } from '@waxwing/storage';
import type { TestDevice } from '../../test/support/relay-account.ts';
import {
  authenticateMessage,
  bodyFor,
  submitMessage,
  testHandle,
  testMessageId,
} from '../../test/support/relay-device.ts';
import { createRelayWorld, settle, until, type RelayWorld } from '../../test/support/relay-world.ts';
import { createDice, type Dice } from './dice.ts';
import { Tally, type RowOptions, type RowReport } from './row.ts';

/** Sequences that one gateway lives through. */
const PER_WORLD = 40;
const STEPS_MAX = 25;
const documented = new Set<number>(Object.values(closeCodes));
const isMemory = (storage: Storage): storage is MemoryStorage => 'snapshot' in storage;

type Scene = {
  readonly world: RelayWorld;
  readonly storage: MemoryStorage;
  readonly mallory: TestDevice;
  readonly bob: TestDevice;
  readonly carol: TestDevice;
  /** Tokens that were used before. */
  readonly used: Up[];
};

async function makeScene(seed: number): Promise<Scene> {
  let memory: MemoryStorage | undefined;
  const world = createRelayWorld({
    seed,
    wrap(storage) {
      if (isMemory(storage)) memory = storage;
      return storage;
    },
  });
  if (!memory) throw new Error('no memory storage');
  const [mallory, bob, carol] = [await world.account(), await world.account(), await world.account()];
  return {
    world,
    storage: memory,
    mallory: mallory.devices[0],
    bob: bob.devices[0],
    carol: carol.devices[0],
    used: [],
  };
}

/** What the model knows of a connection: which requests must be answered, and what may have been stored. */
type Talk = {
  readonly challenge: { readonly nonce: Uint8Array; readonly serverTimeMs: number };
  readonly incarnation: () => string;
  request: number;
  n: number;
  /** Whether anything was said that an authenticated device may have stored, or trimmed. */
  mayStore: boolean;
};

const handleOf = (dice: Dice) => parseHandle(Buffer.alloc(32, dice.bytes(4)).toString('base64url'));

type Step = (scene: Scene, talk: Talk, dice: Dice) => Up[];

const next = (talk: Talk): number => (talk.request += 1);
const stores = (talk: Talk, ...ups: Up[]): Up[] => {
  talk.mayStore = true;
  return ups;
};

/** Legal messages, each of which may stand anywhere. Those through `stores` may change the store when they are taken. */
const steps: readonly Step[] = [
  // The first time, its mailbox is made.
  ({ mallory }, talk) => stores(talk, authenticateMessage(mallory, talk.challenge)),
  ({ mallory, carol }, { challenge }) => [
    authenticateMessage({ ...mallory, sign: (bytes) => carol.sign(bytes) }, challenge),
  ],
  ({ used }, _talk, dice) => (used.length === 0 ? [] : [dice.pick(used)]),
  ({ mallory, bob }, talk) =>
    stores(talk, submitMessage(bodyFor([bob], mallory, 'x'), { n: (talk.n += 1), request: next(talk) })),
  ({ mallory, bob }, talk) => [
    submitMessage(bodyFor([bob], mallory, 'x'), { n: talk.n + 9, oldest: talk.n + 8, request: next(talk) }),
  ],
  ({ mallory, bob }, talk) => [
    submitMessage(bodyFor([bob], mallory, 'x'), { n: talk.n + 90, oldest: 1, request: next(talk) }),
  ],
  (_scene, talk, dice) => [
    submitMessage(dice.bytes(20), { n: talk.n + 1, request: next(talk), handle: testHandle(7) }),
  ],
  ({ mallory, bob }, talk) => {
    const floor = { era: parseEra(Number.MAX_SAFE_INTEGER), number: 1 };
    return [submitMessage(bodyFor([bob], mallory, 'x'), { n: 1, floor, request: next(talk), handle: testHandle(8) })];
  },
  ({ mallory, bob }, talk) => {
    const wrong = { ...bob, registrationId: bob.registrationId + 1 };
    return [submitMessage(bodyFor([wrong], mallory, 'x'), { n: 1, request: next(talk), handle: testHandle(9) })];
  },
  (_scene, talk) => [
    {
      type: 'direct_submit',
      request: next(talk),
      messageId: testMessageId(talk.request),
      attempt: 0,
      body: new Uint8Array(0),
    },
  ],
  (_scene, talk) => stores(talk, { type: 'ack', committed: { incarnation: talk.incarnation(), number: 1 } }),
  (_scene, talk) => [{ type: 'ack', committed: { incarnation: talk.incarnation(), number: Number.MAX_SAFE_INTEGER } }],
  () => [{ type: 'ack', committed: { incarnation: 'AAAAAAAAAAA', number: 1 } }],
  () => [{ type: 'heartbeat' }],
  (_scene, talk) => stores(talk, { type: 'heartbeat', committed: { incarnation: talk.incarnation(), number: 1 } }),
  (_scene, talk, dice) => [
    {
      type: 'heads',
      request: next(talk),
      handles: Array.from({ length: limits.handlesPerHeads }, () => handleOf(dice)),
    },
  ],
  (_scene, talk, dice) =>
    Array.from({ length: 14 }, () => ({
      type: 'heads',
      request: next(talk),
      handles: Array.from({ length: 500 }, () => handleOf(dice)),
    })),
  (_scene, talk, dice) => [
    { type: 'entries', request: next(talk), handle: handleOf(dice), era: parseEra(1), numbers: [1, 2, 3] },
  ],
  (_scene, talk) => [{ type: 'entries', request: next(talk), handle: testHandle(1), era: parseEra(1), numbers: [1] }],
  (_scene, talk) => [
    { type: 'heads', request: talk.request, handles: [] },
    { type: 'heads', request: talk.request, handles: [] },
  ],
];

/** One connection that says these things in any order; what is wrong with how it was answered, if anything. */
async function play(scene: Scene, dice: Dice): Promise<{ answer: string; finding?: string }> {
  const { world, storage, mallory } = scene;
  world.runtime.stepClock(120_000);
  const link = world.link();
  const challenge = await link.device.next('challenge');
  const incarnation = (): string => link.device.all('ready')[0]?.incarnation ?? 'AAAAAAAAAAA';
  const talk: Talk = { challenge, incarnation, request: 0, n: 0, mayStore: false };
  if (!dice.oneIn(4)) {
    const message = authenticateMessage(mallory, challenge);
    link.device.say(message);
    scene.used.push(message);
    await until(() => link.device.all('ready').length > 0 || link.isOver());
  }
  const before = stored(storage);
  const said: string[] = [];
  // A few kinds at a time: what ends a connection would else end nearly all of them at once.
  const chosen = Array.from({ length: 1 + dice.int(4) }, () => dice.pick(steps));
  for (let left = 1 + dice.int(STEPS_MAX); left > 0 && !link.isOver(); left -= 1) {
    const ups = dice.pick(chosen)(scene, talk, dice);
    said.push(...ups.map(({ type }) => type).slice(0, 3));
    if (ups.length > 0) link.device.sendRaw(encodeUpBatch(ups));
    if (dice.oneIn(3)) await settle(2);
  }
  await settle(6);
  const answers: string[] = link.device.seen.flatMap((down) => (down.type === 'rejected' ? [down.code] : []));
  const wrong = answers.find((code) => !isErrorCode(code));
  const accepted = link.device.all('accepted').length;
  const how = link.isOver() ? await link.device.ended : undefined;
  const finding = ((): string | undefined => {
    if (wrong !== undefined) return `rejected with ${wrong}`;
    if (how && !documented.has(how.code)) return `closed with ${how.code} ${how.reason}`;
    if (how && !isErrorCode(how.reason) && !Object.hasOwn(closeCodes, how.reason)) return `closed for ${how.reason}`;
    if (accepted === 0 && !talk.mayStore && !isDeepStrictEqual(stored(storage), before)) return 'refused, and changed';
    return undefined;
  })();
  link.device.end();
  await settle(2);
  const answer = how ? `closed ${how.reason}` : accepted > 0 ? 'accepted' : 'answered';
  return finding === undefined ? { answer } : { answer: 'fault', finding: `${finding}: ${said.join(' ')}` };
}

/**
 * All of the store but the directory, whose generations every connection moves on. To be compared by value: the bytes
 * of equal values differ once the engine holds a number another way.
 */
function stored(storage: MemoryStorage) {
  return storage.snapshot().relay.data;
}

/** What an honest device says to another arrives, whatever was said before. */
async function honestArrives({ world, bob, carol }: Scene, n: number): Promise<boolean> {
  const [from, to] = [world.link().device, world.link().device];
  await from.authenticate(carol);
  const ready = await to.authenticate(bob);
  const text = `honest ${n}`;
  from.say(submitMessage(bodyFor([bob], carol, text), { n, handle: testHandle(99) }));
  await from.next('accepted');
  for (let turn = 0; turn < 200; turn += 1) {
    await settle(1);
    const come = to.all('deliver');
    const last = come.at(-1);
    if (last) to.say({ type: 'ack', committed: { incarnation: ready.incarnation, number: last.position.number } });
    if (come.some(({ envelope }) => Buffer.from(envelope).includes(text))) return true;
  }
  return false;
}

/** H3: legal messages in any order, on connections that did or did not authenticate, to a gateway without sockets. */
export async function attackGateway({ cases, seed }: RowOptions): Promise<RowReport> {
  const tally = new Tally('H3');
  const dice = createDice(seed);
  for (let done = 0; done < cases;) {
    const scene = await makeScene(seed + done);
    for (let honest = 1; honest <= PER_WORLD / 10 && done < cases; honest += 1) {
      for (let count = 0; count < 10 && done < cases; count += 1, done += 1) {
        const { answer, finding } = await play(scene, dice);
        tally.answered(answer);
        if (finding !== undefined) tally.found(`case ${done} of seed ${seed}: ${finding}`);
      }
      if (!(await honestArrives(scene, honest)))
        tally.found(`case ${done} of seed ${seed}: an honest message does not arrive`);
    }
  }
  return tally.report();
}
