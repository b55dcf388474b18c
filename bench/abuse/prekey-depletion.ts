import { limits, type BundlesJson } from '@waxwing/protocol';
import { createFixture } from '../../test/unit/keyserver/keyserver-fixture.ts';
import { createFindings, type RowReport } from './report.ts';

/**
 * Bundles of one account asked for without pause, by one caller and by many: each answer is a whole bundle or a coded
 * refusal, and each caller gets `oneTimeTakesPerPairBurst` one-time keys at most.
 */
export async function prekeyDepletion(o: { readonly takes: number; readonly callers: number }): Promise<RowReport> {
  const findings = createFindings();
  const plenty = { burst: 1_000_000, refillMs: 1 };
  const f = await createFixture({ rates: { perAddress: plenty, inAll: plenty } }, 'silent');
  let refusals = 0;
  let bundles = 0;

  const deplete = async (callers: number): Promise<number> => {
    const target = await f.person(100);
    const people = [];
    for (let index = 0; index < callers; index += 1) people.push(await f.person(0));
    let oneTime = 0;
    for (let take = 0; take < o.takes; take += 1) {
      const person = people[take % callers];
      if (!person) break;
      const claims = <T extends object>(token: T): T => Object.assign(token, { again: take });
      const answer = await f.ask(person, 'POST', '/v1/bundles', { accounts: [target.account] }, { claims });
      if (answer.statusCode === 429) {
        refusals += 1;
        findings.insist(Number(answer.headers['retry-after']) > 0, 'a refusal without retry-after');
        continue;
      }
      const device = answer.statusCode === 200 ? answer.json<BundlesJson>().bundles[0]?.devices[0] : undefined;
      findings.insist(device?.signedPrekey !== undefined, `a bundle that is none: ${answer.statusCode}`);
      if (device?.oneTimeKey) oneTime += 1;
      bundles += 1;
    }
    const { oneTimeKeys } = await f.storage.prekeys.count({
      account: target.account,
      device: target.device.listed.device,
      addedIn: 1,
    });
    findings.insist(oneTimeKeys === 100 - oneTime, 'more keys went than were handed out');
    const most = Math.min(100, callers * limits.oneTimeTakesPerPairBurst);
    findings.insist(oneTime <= most, `${oneTime} one-time keys went to ${callers} callers, ${most} may`);
    return oneTime;
  };

  const byOne = await deplete(1);
  const byMany = await deplete(o.callers);
  await f.app.close();
  const { broken, over } = findings;
  return { row: 'prekey-depletion', broken, over, figures: { ...o, byOne, byMany, bundles, refusals } };
}
