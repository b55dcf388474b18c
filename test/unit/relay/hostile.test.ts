import fc from 'fast-check';
import { closeCodes, encodeUpBatch, isErrorCode, limits, parseEra, type Form, type Up } from '@waxwing/protocol';
import type { MemoryStorage, Storage } from '@waxwing/storage';
import { describe, expect, it } from 'vitest';
import type { TestDevice } from '../../support/relay-account.ts';
import { authenticateMessage, bodyFor, submitMessage, testHandle, testMessageId } from '../../support/relay-device.ts';
import type { LinkedDevice } from '../../support/relay-channel.ts';
import { createRelayWorld, settle, until } from '../../support/relay-world.ts';

const documented = new Set<number>(Object.values(closeCodes));

/** Every way in which these runs may end: not at all, or by a code and a reason of the tables. */
async function expectDocumentedEnd(link: LinkedDevice): Promise<void> {
  if (!link.isOver()) return;
  const { code, reason } = await link.device.ended;
  expect(documented.has(code)).toBe(true);
  expect(isErrorCode(reason) || Object.hasOwn(closeCodes, reason)).toBe(true);
}

async function hostileWorld() {
  let memory: MemoryStorage | undefined;
  const isMemory = (storage: Storage): storage is MemoryStorage => 'snapshot' in storage;
  const world = createRelayWorld({
    wrap: (storage) => {
      if (isMemory(storage)) memory = storage;
      return storage;
    },
  });
  const [alice] = (await world.account()).devices;
  const [bob] = (await world.account()).devices;
  const snapshot = () => structuredClone(memory!.snapshot());
  return { world, alice, bob, snapshot };
}

type Change = (bytes: Buffer, at: number, value: number) => Buffer;
const changes: readonly Change[] = [
  (bytes, at, value) => Buffer.from(bytes.map((byte, index) => (index === at ? byte ^ (1 << (value % 8)) : byte))),
  (bytes, at) => bytes.subarray(0, at),
  (bytes, _, value) => Buffer.concat([bytes, Buffer.alloc((value % 40) + 1, value)]),
  (bytes, at, value) => Buffer.concat([bytes.subarray(0, at), Buffer.of(value), bytes.subarray(at)]),
  (bytes, at) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]),
  (bytes, at) => Buffer.concat([bytes.subarray(0, at), Buffer.alloc(9, 0xff), Buffer.of(1), bytes.subarray(at)]),
  (bytes, at) => Buffer.concat([bytes.subarray(0, at), bytes]),
];

function validUps(alice: TestDevice, bob: TestDevice): Up[] {
  const body = bodyFor([bob], alice, 'hello');
  return [
    submitMessage(body, { n: 1, floor: { era: parseEra(5), number: 2 }, changeBase: 0 }),
    { type: 'heads', request: 2, handles: [testHandle(1), testHandle(2)] },
    { type: 'entries', request: 3, handle: testHandle(1), era: parseEra(7), numbers: [1, 2, 3] },
    { type: 'ack', committed: { incarnation: 'AAAAAAAAAAA', number: 3 } },
    { type: 'heartbeat', committed: { incarnation: 'AAAAAAAAAAA', number: 3 } },
  ];
}

describe('bytes that are nearly a batch', () => {
  it.each(['binary', 'json'] as const)(
    'as %s end in an answer or a documented close, and store nothing that was not accepted',
    async (form: Form) => {
      const { world, alice, bob, snapshot } = await hostileWorld();
      const valid = Buffer.from(encodeUpBatch(validUps(alice, bob), form));
      const first = world.link();
      await first.device.authenticate(alice);
      await first.device.next('drained');
      let refused = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.nat(changes.length - 1), fc.nat(valid.length - 1), fc.nat(255)), {
            minLength: 1,
            maxLength: 3,
          }),
          async (edits) => {
            const bytes = edits.reduce<Buffer>(
              (now: Buffer, [kind, at, value]) => changes[kind]!(now, at % now.length || 0, value),
              valid,
            );
            world.runtime.stepClock(120_000);
            const link = world.link({ form });
            await link.device.authenticate(alice);
            const before = snapshot();
            link.device.sendRaw(bytes);
            await settle(4);
            await expectDocumentedEnd(link);
            const isRefused = link.isOver() && (await link.device.ended).reason !== 'unexpected';
            if (isRefused || (!link.isOver() && link.device.all('accepted').length === 0)) {
              refused += 1;
              expect(snapshot().relay.data).toEqual(before.relay.data);
            }
            link.device.end();
          },
        ),
        { numRuns: 400, seed: 7 },
      );
      expect(refused).toBeGreaterThan(50);
    },
    60_000,
  );
});

// "Malformed, oversized, out-of-order or unauthenticated message on the wire: its coded error, close where the table says so,
// nothing stored."
describe('a batch that is refused', () => {
  const heartbeat = encodeUpBatch([{ type: 'heartbeat' }]);
  it.each([
    ['with nothing in it', 'malformed', new Uint8Array(0)],
    ['with a message of no kind', 'malformed', Buffer.from([0x0a, 0])],
    ['with a message of an unknown kind', 'malformed', Buffer.from([0x0a, 3, 0x9a, 0x06, 0])],
    ['with an unknown field', 'malformed', Buffer.concat([heartbeat, Buffer.from([0x10, 1])])],
    ['with trailing bytes', 'malformed', Buffer.concat([heartbeat, Buffer.from([0xff])])],
    ['cut short', 'malformed', heartbeat.subarray(0, heartbeat.length - 1)],
    [
      'with one message too many',
      'too_large',
      Buffer.concat(Array<Uint8Array>(limits.batchMaxMessages + 1).fill(heartbeat)),
    ],
    ['one byte too long', 'too_large', new Uint8Array(limits.batchMaxBytes + 1)],
  ])('%s closes with %s, and nothing of it is stored, not even what stood before', async (_, code, bytes) => {
    const { world, alice, bob, snapshot } = await hostileWorld();
    const link = world.link();
    await link.device.authenticate(alice);
    await link.device.next('drained');
    const before = snapshot();
    const good = encodeUpBatch([submitMessage(bodyFor([bob], alice, 'x'), { n: 1 })]);
    link.device.sendRaw(bytes.length === 0 ? bytes : Buffer.concat([good, bytes]));
    expect((await link.device.ended).reason).toBe(code);
    await settle();
    expect(snapshot().relay.data).toEqual(before.relay.data);
    const again = world.link();
    await again.device.authenticate(alice);
  });

  it('for want of a token closes with unexpected, and nothing of it is stored', async () => {
    const { world, alice, bob, snapshot } = await hostileWorld();
    const link = world.link();
    await link.device.next('challenge');
    const before = snapshot();
    link.device.say(...validUps(alice, bob));
    expect(await link.device.ended).toEqual({ code: 4302, reason: 'unexpected' });
    await settle();
    expect(snapshot().relay.data).toEqual(before.relay.data);
  });
});

type Step =
  | 'authenticate'
  | 'authenticate as another'
  | 'submit'
  | 'submit ahead'
  | 'submit over the window'
  | 'submit junk'
  | 'direct'
  | 'ack ahead'
  | 'ack of another mailbox'
  | 'heartbeat'
  | 'heads'
  | 'entries'
  | 'junk'
  | 'wait';

const steps: readonly Step[] = [
  'authenticate',
  'authenticate as another',
  'submit',
  'submit ahead',
  'submit over the window',
  'submit junk',
  'direct',
  'ack ahead',
  'ack of another mailbox',
  'heartbeat',
  'heads',
  'entries',
  'junk',
  'wait',
];

describe('legal messages in any order', () => {
  it('are each answered at most once, or end the connection with a documented code; an honest pair goes on', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(fc.constantFrom(...steps), { minLength: 1, maxLength: 25 }),
        async (isAuthenticated, sequence) => {
          const { world, alice, bob } = await hostileWorld();
          const [carol] = (await world.account()).devices;
          const honest = world.link().device;
          await honest.authenticate(bob);
          await honest.next('drained');
          const link = world.link();
          const challenge = await link.device.next('challenge');
          const asked: number[] = [];
          let request = 0;
          let n = 0;
          if (isAuthenticated) {
            link.device.say(authenticateMessage(alice, challenge));
            await link.device.next('ready');
          }
          const next = (): number => {
            request += 1;
            asked.push(request);
            return request;
          };
          const body = bodyFor([bob], alice, 'x');
          const make: Record<Step, () => Up | undefined> = {
            authenticate: () => authenticateMessage(alice, challenge),
            'authenticate as another': () =>
              authenticateMessage({ ...alice, sign: (bytes) => carol.sign(bytes) }, challenge),
            submit: () => submitMessage(body, { n: (n += 1), request: next() }),
            'submit ahead': () => submitMessage(body, { n: n + 3, oldest: n + 2, request: next() }),
            'submit over the window': () => submitMessage(body, { n: n + 40, oldest: 1, request: next() }),
            'submit junk': () => submitMessage(Buffer.from([1, 2, 3]), { n: n + 1, request: next() }),
            direct: () => ({
              type: 'direct_submit',
              request: next(),
              messageId: testMessageId(request),
              attempt: 0,
              body: new Uint8Array(0),
            }),
            'ack ahead': () => ({
              type: 'ack',
              committed: { incarnation: link.device.all('ready')[0]?.incarnation ?? 'AAAAAAAAAAA', number: 1_000 },
            }),
            'ack of another mailbox': () => ({ type: 'ack', committed: { incarnation: 'AAAAAAAAAAA', number: 1 } }),
            heartbeat: () => ({ type: 'heartbeat' }),
            heads: () => ({ type: 'heads', request: next(), handles: [testHandle(1)] }),
            entries: () => ({
              type: 'entries',
              request: next(),
              handle: testHandle(1),
              era: parseEra(1),
              numbers: [1],
            }),
            junk: () => undefined,
            wait: () => undefined,
          };
          for (const step of sequence) {
            const up = make[step]();
            if (step === 'junk') link.device.sendRaw(Buffer.from('junk'));
            else if (step === 'wait') await settle(3);
            else if (up) link.device.say(up);
          }
          await settle();
          await expectDocumentedEnd(link);
          const answers = link.device.seen.flatMap((down) => ('request' in down ? [down.request] : []));
          expect(new Set(answers).size).toBe(answers.length);
          expect(answers.every((answer) => asked.includes(answer))).toBe(true);
          if (!link.isOver()) expect(answers.length).toBe(asked.length);
          expect(link.device.all('drained').length).toBeLessThanOrEqual(1);
          expect(link.device.all('ready').length).toBeLessThanOrEqual(1);
          const accepted = link.device.all('accepted').length;
          await until(() => honest.all('deliver').length >= accepted);
          const other = world.link().device;
          await other.authenticate(carol);
          other.say(submitMessage(bodyFor([bob], carol, 'still here'), { n: 1, handle: testHandle(9) }));
          await until(() => honest.all('deliver').some(({ envelope }) => Buffer.from(envelope).includes('still here')));
          expect(honest.isEnded()).toBe(false);
        },
      ),
      { numRuns: 300, seed: 11 },
    );
  }, 60_000);

  it('the limit on messages in a tick ends a flood', async () => {
    const { world, alice } = await hostileWorld();
    const link = world.link();
    await link.device.authenticate(alice);
    const batch = Array.from({ length: limits.batchMaxMessages }, (): Up => ({ type: 'heartbeat' }));
    for (let i = 0; i < 100 && !link.isOver(); i += 1) {
      link.device.say(...batch);
      await settle(1);
    }
    expect(link.ends).toEqual(['close rate_limited rate_limited']);
  });
});
