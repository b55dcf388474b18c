import {
  audience,
  closeCodes,
  encodeUpBatch,
  isErrorCode,
  limits,
  parseEra,
  parseHandle,
  type Down,
  type Up,
} from '@waxwing/protocol';
import { systemRuntime } from '@waxwing/protocol';
import { registerAccount, type TestDevice } from '../../test/support/relay-account.ts';
import {
  authenticateMessage,
  bodyFor,
  submitMessage,
  testHandle,
  testMessageId,
} from '../../test/support/relay-device.ts';
import { createDice, type Dice } from './dice.ts';
import { dialAs, type Dialled } from './raw-device.ts';
import { RelayWatch } from './relay-watch.ts';
import { Tally, type RowOptions, type RowReport } from './row.ts';
import { besiege, type Besieged } from './siege.ts';
import { addressOf } from './websocket.ts';

const STEPS_MAX = 25;
/** Sequences that are played at once, each by a device of its own. */
const LANES = 4;
/** Every one is allowed 20 errors a minute: with fewer devices most sequences would end by that alone. */
const DEVICES_MAX = 1_000;
const ANSWERED_WITHIN_MS = 20_000;
const documented = new Set<number>(Object.values(closeCodes));

/** Who plays, to whom it writes, and whose signature it borrows. */
type Scene = {
  readonly mallory: TestDevice;
  readonly bob: TestDevice;
  readonly carol: TestDevice;
  /** What the relay is dialled as, which tokens are for. */
  readonly url: string;
  /** Tokens that were used before. */
  readonly used: Up[];
};

/** What the model knows of a connection: which requests must be answered, and what may have been stored. */
type Talk = {
  readonly challenge: Extract<Down, { type: 'challenge' }>;
  readonly incarnation: () => string;
  request: number;
  n: number;
  /** Whether anything was said that an authenticated device may have stored, or trimmed. */
  mayStore: boolean;
};

/** Those that steps write to only what is refused. */
const refusedHandles = [7, 8, 9];
/** Handles that nobody writes to; to make thousands for each request would be most of the attack's own work. */
const strangeHandles = Array.from({ length: 4_096 }, (_, count) =>
  parseHandle(Buffer.alloc(32, `handle ${count} `).toString('base64url')),
);
const handleOf = (dice: Dice) => dice.pick(strangeHandles);

const forRelay = (url: string) => ({ claims: { aud: audience('relay', url) } });

type Step = (scene: Scene, talk: Talk, dice: Dice) => Up[];

const next = (talk: Talk): number => (talk.request += 1);
const stores = (talk: Talk, ...ups: Up[]): Up[] => {
  talk.mayStore = true;
  return ups;
};

/** Legal messages, each of which may stand anywhere. Those through `stores` may change the store when they are taken. */
const steps: readonly Step[] = [
  // The first time, its mailbox is made.
  ({ mallory, url }, talk) => stores(talk, authenticateMessage(mallory, talk.challenge, forRelay(url))),
  ({ mallory, carol, url }, { challenge }) => [
    authenticateMessage({ ...mallory, sign: (bytes) => carol.sign(bytes) }, challenge, forRelay(url)),
  ],
  ({ used }, _talk, dice) => (used.length === 0 ? [] : [dice.pick(used)]),
  ({ mallory, bob }, talk) =>
    stores(talk, submitMessage(bodyFor([bob], mallory, 'x'), { n: (talk.n += 1), request: next(talk) })),
  // Taken where nothing is known of this device, or what another sequence said was answered up to here.
  ({ mallory, bob }, talk) =>
    stores(
      talk,
      submitMessage(bodyFor([bob], mallory, 'x'), { n: talk.n + 9, oldest: talk.n + 8, request: next(talk) }),
    ),
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
  // Trims what another sequence sent it, if it was somebody's receiver.
  (_scene, talk) =>
    stores(talk, { type: 'ack', committed: { incarnation: talk.incarnation(), number: Number.MAX_SAFE_INTEGER } }),
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

/** How many answers these must have, where the connection does not end. */
const requestsOf = (ups: readonly Up[]): number => ups.filter((up) => 'request' in up).length;
const answersOf = (link: Dialled): number => link.device.seen.filter((down) => 'request' in down).length;

/** Resolves when it holds, when the connection is over, or after a long time: whether one of the first two. */
async function untilSaid(link: Dialled, holds: () => boolean): Promise<boolean> {
  for (const began = performance.now(); performance.now() - began < ANSWERED_WITHIN_MS;) {
    if (holds() || link.device.isEnded()) return true;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return false;
}

/** One connection that says these things in any order; what is wrong with how it was answered, if anything. */
async function play(scene: Scene, from: string, store: RelayWatch, dice: Dice) {
  const { mallory, url } = scene;
  const link = await dialAs(url, from);
  const { device } = link;
  const challenge = await device.next('challenge');
  const incarnation = (): string => device.all('ready')[0]?.incarnation ?? 'AAAAAAAAAAA';
  const talk: Talk = { challenge, incarnation, request: 0, n: 0, mayStore: false };
  if (!dice.oneIn(4)) {
    const message = authenticateMessage(mallory, challenge, forRelay(url));
    device.say(message);
    if (scene.used.push(message) > 100) scene.used.shift();
    await untilSaid(link, () => device.all('ready').length > 0);
  }
  const before = store.mark();
  const said: string[] = [];
  let requests = 0;
  // A few kinds at a time: what ends a connection would else end nearly all of them at once.
  const chosen = Array.from({ length: 1 + dice.int(4) }, () => dice.pick(steps));
  for (let left = 1 + dice.int(STEPS_MAX); left > 0 && !device.isEnded(); left -= 1) {
    const ups = dice.pick(chosen)(scene, talk, dice);
    requests += requestsOf(ups);
    said.push(...ups.map(({ type }) => type).slice(0, 3));
    if (ups.length > 0) device.sendRaw(encodeUpBatch(ups));
    if (dice.oneIn(3)) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  // What was said before it is dealt with when it is answered, or when the connection has ended over it.
  const isAnswered = await untilSaid(link, () => answersOf(link) >= requests);
  await link.heard();
  const answers: string[] = device.seen.flatMap((down) => (down.type === 'rejected' ? [down.code] : []));
  const wrong = answers.find((code) => !isErrorCode(code));
  const accepted = device.all('accepted').length;
  const how = device.isEnded() ? await device.ended : undefined;
  const finding = ((): string | undefined => {
    if (wrong !== undefined) return `rejected with ${wrong}`;
    if (!isAnswered) return `${answersOf(link)} answers to ${requests} requests`;
    if (how && !documented.has(how.code)) return `closed with ${how.code} ${how.reason}`;
    if (how && !isErrorCode(how.reason) && !Object.hasOwn(closeCodes, how.reason)) return `closed for ${how.reason}`;
    if (accepted === 0 && !talk.mayStore && store.hasStored(mallory.account, before, device.all('ready').length > 0))
      return 'refused, and stored';
    return undefined;
  })();
  device.end();
  const answer = how ? `closed ${how.reason}` : accepted > 0 ? 'accepted' : 'answered';
  return finding === undefined ? { answer } : { answer: 'fault', finding: `${finding}: ${said.join(' ')}` };
}

/**
 * H3: legal messages in any order, on connections that did or did not authenticate, to a server process. Nothing that was
 * refused is stored.
 */
export async function attackGateway(options: RowOptions): Promise<RowReport> {
  const { cases, seed } = options;
  const tally = new Tally('H3');
  const dice = createDice(seed);
  const people: TestDevice[] = [];

  const attack = async ({ url, data }: Besieged): Promise<void> => {
    const store = new RelayWatch(data);
    const used: Up[] = [];
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < cases) {
        const count = next;
        next += 1;
        const of = (offset: number): TestDevice =>
          dice.pick([people[(count + offset) % people.length] ?? dice.pick(people)]);
        // Nobody who plays at the same time: a message to one begins its mailbox.
        const half = Math.floor(people.length / 2);
        const scene = { mallory: of(0), bob: of(half), carol: of(half + 1), url, used };
        const { answer, finding } = await play(scene, addressOf(count), store, dice).catch((error: unknown) => ({
          answer: 'fault',
          finding: String(error),
        }));
        tally.answered(answer);
        if (finding !== undefined) tally.found(`case ${count} of seed ${seed}: ${finding}`);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    for (const id of refusedHandles)
      if (store.hasHandle(testHandle(id))) tally.found(`handle ${id} was always refused, and is kept`);
    store.close();
  };

  const siege = await besiege(tally, options, {
    attack,
    async prepare(storage) {
      for (let count = Math.min(DEVICES_MAX, 2 * LANES + cases); count > 0; count -= 1) {
        const { devices } = await registerAccount({ storage, runtime: systemRuntime }, { oneTimeKeys: 1 });
        people.push(devices[0]);
      }
    },
  });
  return tally.report({ siege });
}
