import { decodeEnvelope, encodeEnvelope, errors, ProtocolError, type Deliver, type Down } from '@waxwing/protocol';
import { acquainted, say, shown } from '../../test/support/client-talk.ts';
import { createClientWorld, type ClientWorld, type TestClient } from '../../test/support/client-world.ts';
import { createDice, type Dice } from './dice.ts';
import { Tally, type RowOptions, type RowReport } from './row.ts';
import { spoilBytes } from './spoil-bytes.ts';
import { spoilProtobuf } from './spoil-protobuf.ts';

/** Messages that one pair of clients lives through. */
const PER_WORLD = 60;

type Way = 'frame' | 'ciphertext' | 'kind' | 'envelope' | 'repeat' | 'receipt';
const ways: readonly Way[] = ['frame', 'ciphertext', 'kind', 'envelope', 'repeat', 'receipt'];

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

/** Says something whose frame, ciphertext or envelope arrives spoilt. */
async function attack(world: ClientWorld, from: TestClient, to: TestClient, way: Way, dice: Dice): Promise<void> {
  const earlier = to.link.downs.flatMap((down) => (down.type === 'deliver' && isWhole(down) ? [down.envelope] : []));
  const frames = from.frames.slice(-20);
  let left = 1;
  if (way === 'frame' || way === 'receipt') {
    const spoilt = way === 'frame' ? from : to;
    spoilt.alterFrame = (frame) => spoil(frame, dice.pick([frame, ...frames]), dice);
  } else {
    to.link.down = (down) => {
      if (down.type !== 'deliver' || left === 0) return [down];
      left -= 1;
      return spoilDown(down, way, earlier, dice);
    };
  }
  await world.wait((await say(world, from, to, `spoilt ${way}`)).reached('sent'));
  if (way === 'receipt') await world.run(4_000);
  else await world.run(100);
  from.alterFrame = (frame) => frame;
  to.alterFrame = (frame) => frame;
  to.link.down = (down) => [down];
}

/** What must hold after all of that: both ways a message arrives, is shown and its receipt comes back; nothing faulted. */
async function expectAlive(
  world: ClientWorld,
  one: TestClient,
  two: TestClient,
  what: string,
  tally: Tally,
): Promise<void> {
  for (const [from, to] of [
    [one, two],
    [two, one],
  ] as const) {
    const text = `after ${what}`;
    try {
      await world.wait((await say(world, from, to, text)).reached('sent'));
      await world.run(5_000);
      const items = await shown(world, to, from);
      if (!items.includes(text))
        tally.found(`${what}: the message after it is not shown: ${items.slice(-5).join(' | ')}`);
    } catch (error) {
      tally.found(`${what}: ${String(error)}`);
    }
  }
}

const isCode = (code: string): boolean => Object.hasOwn(errors, code);

/**
 * H6: what a contact, or the relay between, makes of a client's traffic. Frames are spoilt before they are encrypted,
 * ciphertexts and envelopes on their way. After each case a message both ways arrives and is shown.
 */
export async function attackClient({ cases, seed }: RowOptions): Promise<RowReport> {
  const tally = new Tally('H6');
  const dice = createDice(seed);
  const faults: unknown[] = [];
  const fault = (error: unknown): number => faults.push(error);
  process.on('uncaughtException', fault);
  process.on('unhandledRejection', fault);
  try {
    for (let done = 0; done < cases;) {
      const world = await createClientWorld({ seed: seed + done });
      const [alice, bob] = await acquainted(world);
      for (let count = 0; count < PER_WORLD && done < cases; count += 1, done += 1) {
        const way = dice.pick(ways);
        const what = `${way}, case ${done} of seed ${seed}`;
        const [from, to] = dice.oneIn(2) ? [alice, bob] : [bob, alice];
        try {
          await attack(world, from, to, way, dice);
          tally.answered(way);
        } catch (error) {
          tally.answered(`${way}: fault`);
          tally.found(`${what}: ${String(error)}`);
        }
        if (count % 10 === 9) await expectAlive(world, from, to, what, tally);
        for (const error of faults.splice(0)) tally.found(`${what}: uncaught: ${String(error)}`);
      }
      const rejected = [...alice.link.downs, ...bob.link.downs].flatMap((down) =>
        down.type === 'rejected' ? [down.code] : [],
      );
      for (const code of rejected) if (!isCode(code)) tally.found(`rejected with ${code}`);
      await world.close();
    }
    return tally.report();
  } finally {
    process.off('uncaughtException', fault);
    process.off('unhandledRejection', fault);
  }
}
