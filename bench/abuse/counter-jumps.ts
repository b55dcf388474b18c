import { limits } from '@waxwing/protocol';
import { acquainted, crypto, Party, type Sent } from '../../test/unit/client-core/session/party.ts';
import { withCounter } from './altered.ts';
import { cpuMs, createFindings, tenth, type RowReport } from './report.ts';

const JUMPS = [
  1,
  2,
  100,
  1_999,
  2_000,
  2_001,
  10_000,
  24_999,
  25_000,
  25_001,
  2 ** 20,
  2 ** 31,
  2 ** 32 - 2,
  2 ** 32 - 1,
];
const CPU_MS_PER_MESSAGE = 200;
/** More than libsignal keeps. */
const SESSIONS = 45;
const CHAINS = 6;

/**
 * Session messages whose counter jumps: altered on their way, or by a sender that did send so many. Nothing of the altered
 * ones is read, none costs over 200 ms or grows a session over `sessionMaxBytes`, and what honest devices sent is read.
 */
export async function counterJumps(o: {
  readonly realJumps: readonly number[];
  readonly exhaust: number;
}): Promise<RowReport> {
  const findings = createFindings();
  let costliest = 0;
  let largest = 0;
  let altered = 0;

  const read = async (who: Party, from: Party, sent: Sent, wanted: string): Promise<void> => {
    const began = cpuMs();
    const text = await who.read(from, sent);
    costliest = Math.max(costliest, cpuMs() - began);
    largest = Math.max(largest, ...who.keys('session').map((key) => who.entries.get(`session/${key}`)?.length ?? 0));
    findings.insist(text === wanted, `read ${text} where ${wanted} was due`);
  };
  const attack = async (who: Party, from: Party, sent: Sent): Promise<void> => {
    for (const jump of JUMPS) {
      const before = new Map(who.entries);
      await read(who, from, withCounter(sent, jump + 1), '[invalid]');
      const isSame = [...who.entries].every(([key, bytes]) => before.get(key) === bytes);
      findings.insist(isSame && before.size === who.entries.size, 'an altered message changed what is kept');
      altered += 1;
    }
    await read(who, from, sent, 'honest');
  };

  const [alice, bob] = await acquainted();
  await attack(bob, alice, await alice.send(bob, 'honest'));

  const stranger = new Party('eve');
  await stranger.start(bob, bob.bundle(1));
  await attack(bob, stranger, await stranger.send(bob, 'honest'));

  // A device with many sessions before the current one: each of them could try each message.
  const often = new Party('anna', 0);
  const host = new Party('hugo', SESSIONS);
  for (let index = 0; index < SESSIONS; index += 1) {
    await often.start(host, host.bundle(index));
    await read(host, often, await often.send(host, 'first'), 'first');
    await read(often, host, await host.send(often, 'answer'), 'answer');
  }
  await attack(host, often, await often.send(host, 'honest'));
  await read(often, host, await host.send(often, 'new chain'), 'new chain');
  await attack(host, often, await often.send(host, 'honest'));

  // Two devices of one account: libsignal itself lets their counters jump as far as they say.
  const identity = crypto.createIdentity();
  const [own, other] = [new Party('self', 10, 1, identity), new Party('self', 10, 2, identity)];
  await own.start(other);
  await attack(other, own, await own.send(other, 'honest'));
  await read(own, other, await other.send(own, 'answer'), 'answer');
  await attack(other, own, await own.send(other, 'honest'));

  for (const jump of o.realJumps) {
    const [sender, receiver] = await acquainted();
    for (let sent = 0; sent < jump; sent += 1) await sender.send(receiver, 'never delivered');
    const isTooFar = jump > limits.ratchetJumpMax;
    await read(receiver, sender, await sender.send(receiver, 'honest'), isTooFar ? '[invalid]' : 'honest');
    await read(sender, receiver, await receiver.send(sender, 'back'), 'back');
  }

  // All skipped keys that a session keeps, in session after session.
  const [waster, keeper] = [new Party('mona', 0), new Party('kurt', 10)];
  for (let session = 0; session < o.exhaust; session += 1) {
    await waster.start(keeper, keeper.bundle(session));
    await read(keeper, waster, await waster.send(keeper, 'first'), 'first');
    await read(waster, keeper, await keeper.send(waster, 'answer'), 'answer');
    for (let chain = 0; chain < CHAINS; chain += 1) {
      const early = await waster.send(keeper, 'early');
      for (let sent = 0; sent < 2_000; sent += 1) await waster.send(keeper, 'never delivered');
      await read(keeper, waster, await waster.send(keeper, 'late'), 'late');
      // The oldest of the skipped keys has gone, and nothing but its message with it.
      await read(keeper, waster, early, '[duplicate]');
      await read(waster, keeper, await keeper.send(waster, 'answer'), 'answer');
    }
    await attack(keeper, waster, await waster.send(keeper, 'honest'));
  }

  findings.insist(largest <= limits.sessionMaxBytes, `a session of ${largest} bytes`);
  findings.atMost('CPU ms of one message', tenth(costliest), CPU_MS_PER_MESSAGE);
  const { broken, over } = findings;
  return {
    row: 'counter-jumps',
    broken,
    over,
    figures: { altered, costliestMs: tenth(costliest), largestSessionBytes: largest },
  };
}
