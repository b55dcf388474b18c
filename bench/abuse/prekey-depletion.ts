import { limits, type BundlesJson } from '@waxwing/protocol';
import { createFixture } from '../../test/unit/keyserver/keyserver-fixture.ts';
import { prekeys } from '../../test/unit/keyserver/person.ts';
import { createFindings, type RowReport } from './report.ts';

const KEYS = limits.oneTimeKeysPerDevice;
const PER_CALLER = limits.oneTimeTakesPerPairBurst;

/**
 * Bundles of one account asked for without pause, by one caller and by many: each answer is a whole bundle or a coded
 * refusal, and each caller gets `oneTimeTakesPerPairBurst` one-time keys and no more, for as long as there are any.
 */
export async function prekeyDepletion(o: { readonly takes: number; readonly callers: number }): Promise<RowReport> {
  const findings = createFindings();
  const plenty = { burst: 1_000_000, refillMs: 1 };
  const f = await createFixture({ rates: { perAddress: plenty, inAll: plenty } }, 'silent');
  let refusals = 0;
  let bundles = 0;

  const deplete = async (callers: number): Promise<number> => {
    const target = await f.person(limits.oneTimeKeysPerUpload);
    const more = prekeys(target.identity, KEYS - limits.oneTimeKeysPerUpload, 1_000);
    const { statusCode } = await f.ask(target, 'PUT', '/v1/prekeys', more);
    findings.insist(statusCode === 204, `more keys: ${statusCode}`);
    const takenBy = new Map<string, number>();
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
      if (device?.oneTimeKey) {
        oneTime += 1;
        takenBy.set(person.account, (takenBy.get(person.account) ?? 0) + 1);
      }
      bundles += 1;
    }
    const { oneTimeKeys } = await f.storage.prekeys.count({
      account: target.account,
      device: target.device.listed.device,
      addedIn: 1,
    });
    findings.insist(oneTimeKeys === KEYS - oneTime, 'more keys went than were handed out');
    const most = Math.max(...takenBy.values());
    findings.insist(most <= PER_CALLER, `${most} one-time keys went to one of ${callers} callers`);
    const meant = Math.min(KEYS, callers * Math.min(PER_CALLER, Math.floor(o.takes / callers)));
    findings.insist(oneTime === meant, `${oneTime} one-time keys went to ${callers} callers, not ${meant}`);
    return oneTime;
  };

  const byOne = await deplete(1);
  const byMany = await deplete(o.callers);
  await f.app.close();
  const { broken, over } = findings;
  return { row: 'prekey-depletion', broken, over, figures: { ...o, byOne, byMany, bundles, refusals } };
}
