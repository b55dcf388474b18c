import { acquainted, Party, type Sent } from '../../test/unit/client-core/session/party.ts';
import { createFindings, type RowReport } from './report.ts';

const REPLAYS = 3;

/**
 * First messages that come again, three times each: with their session standing, with it gone, and to a device that reads
 * its entries back from their bytes, as after a restart. None is read, and none changes what is kept.
 */
export async function replayedFirstMessages(o: { readonly messages: number }): Promise<RowReport> {
  const findings = createFindings();
  let replays = 0;

  const replay = async (to: Party, from: Party, sent: Sent): Promise<void> => {
    for (let time = 0; time < REPLAYS; time += 1) {
      const before = contentOf(to);
      const decrypted = await to.decrypt(from.peer, sent);
      replays += 1;
      findings.insist(decrypted.type === 'failed', 'a replayed first message was read');
      findings.insist(contentOf(to) === before, 'a replayed first message changed what is kept');
    }
  };

  for (const use of ['one-time', 'last-resort'] as const) {
    const to = new Party('bob', use === 'one-time' ? o.messages : 0);
    const firsts: { readonly from: Party; readonly sent: Sent }[] = [];
    for (let index = 0; index < o.messages; index += 1) {
      const from = new Party(`s${index.toString(36)}`);
      await from.start(to, to.bundle(index));
      const sent = await from.send(to, 'first');
      findings.insist((await to.read(from, sent)) === 'first', 'a first message was not read');
      firsts.push({ from, sent });
      await replay(to, from, sent);
    }
    to.entries = new Map([...to.entries].map(([key, bytes]) => [key, Uint8Array.from(bytes)]));
    for (const { from, sent } of firsts) await replay(to, from, sent);
    for (const { from, sent } of firsts) {
      to.forget(from);
      await replay(to, from, sent);
    }
    findings.insist(to.keys('session').length === 0, 'a replay made a session');
  }
  const [alice, bob] = await acquainted();
  findings.insist((await bob.read(alice, await alice.send(bob, 'on'))) === 'on', 'an honest pair does not go on');
  const { broken, over } = findings;
  return { row: 'replayed-first-messages', broken, over, figures: { firstMessages: 2 * o.messages, replays } };
}

function contentOf({ entries }: Party): string {
  return [...entries].map(([key, bytes]) => `${key} ${Buffer.from(bytes).toString('base64')}`).join('\n');
}
