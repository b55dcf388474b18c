import { compareSequences } from '@waxwing/protocol';
import type { MessageRow } from '../../client-core/src/history/messages.ts';
import { countsAsDelivered, holeOf, notices, shown, type Shown } from './checker.ts';
import type { SimulatedDevice } from './device.ts';
import type { Saying } from './world.ts';

/** How a message stands at the end: as it was said, or how it shows that it does not. */
export type Verdict = 'as said' | 'hole' | 'alert' | 'unsent';

/**
 * What must hold when a server has lied and each has spoken again: nothing stands that was not said, nothing stands twice,
 * and what is missing, or stands at another place, shows: as a hole, as an alert, or as not sent.
 */
export function checkLied(o: {
  readonly people: readonly SimulatedDevice[];
  readonly sayings: readonly Saying[];
  readonly heard: ReadonlyMap<SimulatedDevice, ReadonlyMap<string, number>>;
}): { readonly violations: string[]; readonly verdicts: Record<Verdict, number> } {
  const violations: string[] = [];
  const verdicts = { 'as said': 0, hole: 0, alert: 0, unsent: 0 };
  for (const [index, a] of o.people.entries()) {
    for (const b of o.people.slice(index + 1)) {
      const [atA, atB] = [shown(a, b), shown(b, a)];
      const alerted = new Set([...(alertsOf(a, b) > 0 ? [a] : []), ...(alertsOf(b, a) > 0 ? [b] : [])]);
      const isHoled = holesOf(a, b) > 0 || holesOf(b, a) > 0;
      violations.push(...madeUp(atA, b, o.sayings), ...madeUp(atB, a, o.sayings));
      if (alerted.size === 0 && !isHoled) violations.push(...differingOrder(atA, atB));
      for (const [own, other] of [
        [atA, atB],
        [atB, atA],
      ] as const) {
        const said = o.sayings.filter(({ from, to }) => from === own.device && to === other.device);
        const lacking: string[] = [];
        let holed = 0;
        for (const saying of said) {
          const judged = judge(saying, own, other, { alerted, isHoled, heard: o.heard });
          if ('verdict' in judged) {
            verdicts[judged.verdict] += 1;
            if (judged.verdict === 'hole' && !judged.isDisplaced) holed += 1;
          } else if ('lacks' in judged) lacking.push(judged.lacks);
          else violations.push(judged.wrong);
        }
        // A relay that lies about numbers may have the hole stand at another one.
        if (holed + lacking.length > holesOf(other.device, own.device)) violations.push(...lacking);
        else verdicts.hole += lacking.length;
      }
    }
  }
  return { violations, verdicts };
}

type Judged =
  { readonly verdict: Verdict; readonly isDisplaced?: true } | { readonly lacks: string } | { readonly wrong: string };

/** How a message stands; or that it is missing where nothing shows; or what else is wrong. */
function judge(
  { text, from, to, taken }: Saying,
  own: Shown,
  other: Shown,
  o: {
    readonly alerted: ReadonlySet<SimulatedDevice>;
    readonly isHoled: boolean;
    readonly heard: Parameters<typeof checkLied>[0]['heard'];
  },
): Judged {
  const sent = own.rows.find((row) => row.text === text);
  const received = other.rows.find((row) => row.text === text);
  if (!taken) return { verdict: 'unsent' };
  if (!sent) return judgeUnsent(from, to, text, o.alerted);
  if (received && !o.heard.get(to)?.has(received.messageId)) {
    return { wrong: `the inbox of ${to.name} never gave ${text}` };
  }
  if (received && compareSequences(sent.sequence, received.sequence) === 0) return { verdict: 'as said' };
  if (received && o.alerted.size > 0) return { verdict: 'alert' };
  if (received && o.isHoled) return { verdict: 'hole', isDisplaced: true };
  if (received) return { wrong: `${text} stands at ${place(sent)} and at ${place(received)}, and nothing shows` };
  if (countsAsDelivered(from, to, sent)) return { wrong: `${text} counts as delivered and is not at ${to.name}` };
  const hole = holeOf(to, from, sent);
  if (hole?.startsWith('a hole')) return { verdict: 'hole' };
  if (o.alerted.has(to)) return { verdict: 'alert' };
  return { lacks: `${to.name} lacks ${text} at ${place(sent)} n=${sent.n}, ${hole ?? 'no hole'}, and shows nothing` };
}

/** A message that is not in its sender's history must show there as one that failed, or the device shows why it waits. */
function judgeUnsent(
  from: SimulatedDevice,
  to: SimulatedDevice,
  text: string,
  alerted: ReadonlySet<SimulatedDevice>,
): Judged {
  const state = outboxState(from, to, text);
  if (state === undefined) return { wrong: `${from.name} lost its own ${text}` };
  const isOnline = from.client?.connection.getSnapshot().state === 'online';
  if (state === 'failed' || !isOnline || alerted.has(from)) return { verdict: 'unsent' };
  return { wrong: `${text} waits at ${from.name} as ${state} though all is calm, and nothing shows` };
}

/** What stands with a device and was not said so, or stands twice. */
function madeUp({ device, rows }: Shown, peer: SimulatedDevice, sayings: readonly Saying[]): string[] {
  const found: string[] = [];
  const texts = new Set<string>();
  for (const row of rows) {
    const text = row.text ?? '';
    const [from, to] = row.own ? [device, peer] : [peer, device];
    const isSaid = sayings.some((saying) => saying.text === text && saying.from === from && saying.to === to);
    if (!isSaid || row.from !== from.account) found.push(`${device.name} shows ${text}, which ${from.name} never said`);
    if (texts.has(text)) found.push(`${device.name} shows ${text} twice`);
    texts.add(text);
  }
  return found;
}

function differingOrder(a: Shown, b: Shown): string[] {
  const common = new Set(b.rows.map(({ text }) => text).filter((text) => a.rows.some((row) => row.text === text)));
  const [inA, inB] = [a, b].map(({ rows }) => rows.flatMap(({ text }) => (common.has(text) ? [text] : [])));
  const differs = inA?.findIndex((text, index) => text !== inB?.[index]) ?? -1;
  if (differs < 0) return [];
  return [`${a.device.name} and ${b.device.name} differ in order at ${inA?.[differs]}, and nothing shows`];
}

/** How often a device has found a lie, as its history shows it; that a device was added is none. */
function alertsOf({ store }: SimulatedDevice, peer: SimulatedDevice): number {
  const conversation = store?.conversations.byPeer(peer.account);
  if (!store || !conversation) return 0;
  return store.alerts.of(conversation.id).filter(({ what }) => !notices.has(what)).length;
}

/** How many messages a device shows as missing. */
function holesOf({ store }: SimulatedDevice, peer: SimulatedDevice): number {
  const conversation = store?.conversations.byPeer(peer.account);
  const epochs = (conversation && store?.conversations.epochs(conversation.id)) ?? [];
  return epochs.reduce((sum, { id }) => {
    const numbered = store?.coverage.holes(id).map(({ from, to }) => to - from + 1) ?? [];
    const chained = store?.coverage.chainHoles(id).map(({ fromN, toN }) => toN - fromN + 1) ?? [];
    return [...numbered, ...chained].reduce((all, one) => all + one, sum);
  }, 0);
}

/** How a message stands in the outbox, if it does. */
function outboxState({ store }: SimulatedDevice, peer: SimulatedDevice, text: string): string | undefined {
  const conversation = store?.conversations.byPeer(peer.account);
  if (!store || !conversation) return undefined;
  return store.outbox.ofConversation(conversation.id).find((row) => Buffer.from(row.content).includes(text))?.state;
}

function place({ sequence }: MessageRow): string {
  return `(${sequence.era}, ${sequence.number})`;
}
