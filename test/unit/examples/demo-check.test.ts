import { describe, expect, it } from 'vitest';
import { checkHistories } from '../../../examples/demo/check.ts';
import type { HistoryEntry } from '../../../examples/demo/wire.ts';

const said = ['one', 'two', 'three'].map((text) => ({ from: 'Alice', text }) as const);
const held: readonly HistoryEntry[] = said.map(({ text }) => ({ id: `id of ${text}`, text, status: 'sent' }));

/** What is found where Alice's messages stand so, and both devices hold all of them. */
async function foundWith(...statuses: readonly string[]) {
  const history = () => Promise.resolve(held);
  const alice = { account: 'alice', statuses: new Map(statuses.map((status, n) => [`${n}`, status])), history };
  const bob = { account: 'bob', statuses: new Map<string, string>(), history };
  const findings = await checkHistories(alice, bob, said);
  const one = (what: string) => findings.find((finding) => finding.what === what);
  return { sent: one('sent'), delivered: one('delivered') };
}

describe('the demo counts what its devices say of their messages', () => {
  it('read and delivered are both sent and delivered', async () => {
    expect(await foundWith('read', 'delivered', 'delivered')).toMatchObject({
      sent: { said: '3 of 3 messages', good: true },
      delivered: { said: '3', good: true },
    });
  });

  it('sent is not delivered', async () => {
    expect(await foundWith('delivered', 'delivered', 'sent')).toMatchObject({
      sent: { good: true },
      delivered: { said: '2', good: false },
    });
  });

  it.each(['queued', 'failed'])('%s is neither', async (status) => {
    expect(await foundWith('delivered', 'delivered', status)).toMatchObject({
      sent: { said: '2 of 3 messages', good: false },
      delivered: { said: '2', good: false },
    });
  });

  it('a line that no device knows of was not sent', async () => {
    expect((await foundWith('delivered', 'delivered')).sent).toMatchObject({ good: false });
  });
});
