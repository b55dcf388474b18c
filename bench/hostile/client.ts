import {
  decodeEnvelope,
  decodeFrame,
  encodeEnvelope,
  errors,
  parseDeviceId,
  ProtocolError,
  type Deliver,
  type Down,
} from '@waxwing/protocol';
import { acquainted, say, shown } from '../../test/support/client-talk.ts';
import { createClientWorld, type ClientWorld, type TestClient } from '../../test/support/client-world.ts';
import { createDice, type Dice } from './dice.ts';
import { watchOwn } from './own-watch.ts';
import { Tally, type RowOptions, type RowReport } from './row.ts';
import { spoilBytes } from './spoil-bytes.ts';
import { asClaim, claimKinds, twistClaim, type Known } from './spoil-claims.ts';
import { spoilProtobuf } from './spoil-protobuf.ts';

/** Messages that one pair of clients lives through. */
const PER_WORLD = 60;

type Way = 'frame' | 'ciphertext' | 'kind' | 'envelope' | 'repeat' | 'receipt' | 'lost' | (typeof claimKinds)[number];
const ways: readonly Way[] = [
  ...(['frame', 'ciphertext', 'kind', 'envelope', 'repeat', 'receipt', 'lost'] as const),
  ...claimKinds,
];
/** Long enough for a receipt, and for a question about what was lost, its answer and the next question. */
const RECEIPT_MS = 4_000;
const REPAIR_MS = 12_000;

function spoil(bytes: Uint8Array, other: Uint8Array, dice: Dice): Uint8Array {
  if (dice.oneIn(2)) return spoilBytes(bytes, other, dice);
  return spoilProtobuf(bytes, dice) ?? spoilBytes(bytes, other, dice);
}

/** The message with its envelope spoilt in this way. */
function spoilDown(down: Down, way: Way, earlier: readonly Uint8Array[], dice: Dice): readonly Down[] {
  if (down.type !== 'deliver') return [down];
  const other = dice.pick([down.envelope, ...earlier]);
  if (way === 'envelope') return [{ ...down, envelope: spoil(down.envelope, other, dice) }];
  if (way === 'repeat') return [{ ...down, envelope: other }];
  const envelope = decodeEnvelope(down.envelope);
  const changed =
    way === 'kind'
      ? { ...envelope, kind: dice.pick(['session', 'prekey', 'sender_key'] as const) }
      : { ...envelope, ciphertext: spoil(envelope.ciphertext, decodeEnvelope(other).ciphertext, dice) };
  return [{ ...down, envelope: encodeEnvelope(changed) }];
}

/** What was spoilt before may be no envelope any more. */
function isWhole({ envelope }: Deliver): boolean {
  try {
    decodeEnvelope(envelope);
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

/** What these two know of their conversation. */
function knownOf(from: TestClient, to: TestClient): Known {
  const places = to.link.downs.flatMap((down) => {
    if (down.type !== 'deliver' || !isWhole(down)) return [];
    const envelope = decodeEnvelope(down.envelope);
    return envelope.type === 'sequenced' ? [envelope] : [];
  });
  const last = places.at(-1);
  const frames = [...from.frames, ...to.frames].filter((frame) => decodeFrame(frame).place !== undefined).slice(-40);
  if (!last) throw new Error('nothing was said');
  const people = [from, to].map(({ client }) => ({ account: client.account, device: parseDeviceId(1) }));
  return { handle: last.handle, era: last.sequence.era, frames, people };
}

/** Says something that is spoilt in this way, or answered by something that is. How many false claims were made. */
async function attack(world: ClientWorld, from: TestClient, to: TestClient, way: Way, dice: Dice): Promise<number> {
  const earlier = to.link.downs.flatMap((down) => (down.type === 'deliver' && isWhole(down) ? [down.envelope] : []));
  const frames = from.frames.slice(-20);
  let left = 1;
  let quietMs = 100;
  let claims = 0;
  const spoilFrame = (frame: Uint8Array): Uint8Array => spoil(frame, dice.pick([frame, ...frames]), dice);
  switch (way) {
    case 'frame':
      from.alterFrame = spoilFrame;
      break;
    case 'receipt':
      to.alterFrame = spoilFrame;
      quietMs = RECEIPT_MS;
      break;
    case 'repairRequest':
    case 'repairAnswer':
    case 'heads': {
      const known = knownOf(from, to);
      to.alterFrame = (frame) => {
        const claim = asClaim(frame, way, known, dice);
        claims += 1;
        return dice.oneIn(4) ? spoil(claim, frame, dice) : claim;
      };
      quietMs = RECEIPT_MS;
      break;
    }
    case 'lost': {
      const known = knownOf(from, to);
      const twist = (frame: Uint8Array): Uint8Array => {
        const twisted = twistClaim(frame, known, dice);
        if (twisted) claims += 1;
        return twisted ?? frame;
      };
      from.alterFrame = twist;
      to.alterFrame = twist;
      // What comes after it shows that it is missing.
      to.link.down = (down) => (down.type === 'deliver' && (left -= 1) === 0 ? [] : [down]);
      await world.wait((await say(world, from, to, 'lost')).reached('sent'));
      quietMs = REPAIR_MS;
      break;
    }
    default:
      to.link.down = (down) => {
        if (down.type !== 'deliver' || left === 0) return [down];
        left -= 1;
        return spoilDown(down, way, earlier, dice);
      };
  }
  await world.wait((await say(world, from, to, `spoilt ${way}`)).reached('sent'));
  await world.run(quietMs);
  from.alterFrame = (frame) => frame;
  to.alterFrame = (frame) => frame;
  to.link.down = (down) => [down];
  return claims;
}

/** A message is shown by then, also one that waits for what is missing before it. */
const SHOWN_WITHIN_MS = 5_000;
const STEP_MS = 250;

/** Whether it holds after all of that: both ways a message arrives and is shown. */
async function isAlive(world: ClientWorld, one: TestClient, two: TestClient, what: string): Promise<string[]> {
  const ways = [
    [one, two],
    [two, one],
  ] as const;
  const text = `after ${what}`;
  for (const [from, to] of ways) await world.wait((await say(world, from, to, text)).reached('sent'));
  const missing = async (): Promise<string[]> => {
    const tails = await Promise.all(ways.map(([from, to]) => shown(world, to, from)));
    return tails.flatMap((items) => (items.includes(text) ? [] : [items.slice(-5).join(' | ')]));
  };
  for (let passedMs = 0; passedMs < SHOWN_WITHIN_MS; passedMs += STEP_MS) {
    if ((await missing()).length === 0) return [];
    await world.run(STEP_MS);
  }
  return missing();
}

/** What is made once is made before memory is measured. */
async function warmUp(seed: number): Promise<void> {
  const world = await createClientWorld({ seed });
  const [alice, bob] = await acquainted(world);
  for (let n = 0; n < PER_WORLD; n += 1) await isAlive(world, alice, bob, `message ${n}`);
  await world.close();
}

const isCode = (code: string): boolean => Object.hasOwn(errors, code);

/**
 * H6: what a contact, or the relay between, makes of a client's traffic. Frames are spoilt before they are encrypted,
 * ciphertexts and envelopes on their way; and questions, answers and heads are false, alone and about what was lost. After
 * each case a message both ways arrives and is shown.
 */
export async function attackClient({ cases, seed }: RowOptions): Promise<RowReport> {
  const tally = new Tally('H6');
  const dice = createDice(seed);
  await warmUp(seed);
  const watch = watchOwn(tally);
  for (let done = 0; done < cases;) {
    const world = await createClientWorld({ seed: seed + done });
    const [alice, bob] = await acquainted(world);
    for (let count = 0; count < PER_WORLD && done < cases; count += 1, done += 1) {
      const way = dice.pick(ways);
      const what = `${way}, case ${done} of seed ${seed}`;
      const [from, to] = dice.oneIn(2) ? [alice, bob] : [bob, alice];
      try {
        const claims = await watch.timedAsync(
          () => what,
          () => attack(world, from, to, way, dice),
        );
        tally.answered(claims > 0 ? `${way}, claimed` : way);
        const missing = await isAlive(world, from, to, what);
        if (missing.length === 0) watch.alive();
        for (const tail of missing) tally.found(`${what}: the message after it is not shown: ${tail}`);
      } catch (error) {
        tally.answered(`${way}: fault`);
        tally.found(`${what}: ${String(error)}`);
      }
      watch.tellUncaught(what);
    }
    const rejected = [...alice.link.downs, ...bob.link.downs].flatMap((down) =>
      down.type === 'rejected' ? [down.code] : [],
    );
    for (const code of rejected) if (!isCode(code)) tally.found(`rejected with ${code}`);
    await world.close();
  }
  return tally.report({ own: await watch.end() });
}
