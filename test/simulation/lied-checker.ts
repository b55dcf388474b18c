import { compareSequences, type Sequence } from '@waxwing/protocol';
import type { MessageRow } from '../../client-core/src/history/message-row.ts';
import { gaps } from '../../client-core/src/sync/sequencer.ts';
import type { Alarms } from './alarms.ts';
import { countsAsDelivered, holeOf, shown, type Shown } from './checker.ts';
import type { SimulatedDevice } from './device.ts';
import type { LieName } from './plan.ts';
import type { Saying } from './saying.ts';

/**
 * How a message stands: as it was said, or how it shows that it does not, or that nothing after it has come yet. `other era`:
 * one device was told another era for it and nothing shows, see `unnoticed`.
 */
export type Verdict = 'as said' | 'other era' | 'hole' | 'alert' | 'unsent' | 'newest';

/** Lies for which a message may fail for good, so that the person is told: the relay refuses it, or knows no such account. */
const failing: ReadonlySet<LieName> = new Set(['refusals', 'mismatch', 'wrong account', 'accept and forget']);

/**
 * Lies that do not always show: a short era that one device was told of otherwise, when the next one has begun, as what was
 * seen is told of the newest era alone.
 */
const unnoticed: ReadonlySet<LieName> = new Set(['eras']);

type Lied = {
  readonly people: readonly SimulatedDevice[];
  readonly sayings: readonly Saying[];
  readonly heard: ReadonlyMap<SimulatedDevice, ReadonlyMap<string, number>>;
  readonly alarms: Alarms;
  readonly lie: LieName;
  /** While the server lies: what was said since then may show only when more has come. */
  readonly lyingSinceMs?: number;
};

/**
 * What must hold when a server has lied and each has spoken again: nothing stands that was not said, nothing stands twice,
 * and what is missing, or stands at another place, shows: as a hole there, as an alert since it was said, or as not sent.
 * When the server lies no more, all is said.
 */
export function checkLied(o: Lied): {
  readonly violations: string[];
  readonly verdicts: Record<Verdict, number>;
} {
  const violations = isLying(o) ? [] : o.people.flatMap((device) => unsaid(device, o.lie));
  const verdicts = { 'as said': 0, 'other era': 0, hole: 0, alert: 0, unsent: 0, newest: 0 };
  for (const [index, a] of o.people.entries()) {
    for (const b of o.people.slice(index + 1)) {
      const [atA, atB] = [shown(a, b), shown(b, a)];
      violations.push(...madeUp(atA, b, o.sayings), ...madeUp(atB, a, o.sayings), ...differingOrder(atA, atB, o));
      for (const [own, other] of [
        [atA, atB],
        [atB, atA],
      ] as const) {
        for (const saying of o.sayings) {
          if (saying.from !== own.device || saying.to !== other.device) continue;
          const judged = judge(saying, own, other, o);
          if ('verdict' in judged) verdicts[judged.verdict] += 1;
          else violations.push(judged.wrong);
        }
      }
    }
  }
  return { violations, verdicts };
}

/** What is not done though all is calm. */
function unsaid({ name, client, store }: SimulatedDevice, lie: LieName): string[] {
  const state = client?.connection.getSnapshot().state ?? 'down';
  if (state !== 'online' || !store) return [`${name} is ${state} when the server lies no more`];
  const rows = store.conversations.all().flatMap(({ id }) => store.outbox.ofConversation(id));
  return rows.flatMap((row) => {
    if (row.state !== 'failed') return [`${name} still has a message ${row.state} when the server lies no more`];
    return failing.has(lie) ? [] : [`a message of ${name} failed: ${row.failure}`];
  });
}

type Judged = { readonly verdict: Verdict } | { readonly wrong: string };

/** How a message stands; or that it is missing or elsewhere where nothing shows; or what else is wrong. */
function judge(saying: Saying, own: Shown, other: Shown, o: Lied): Judged {
  const { text, from, to, taken, saidMs } = saying;
  const sent = own.rows.find((row) => row.text === text);
  const received = other.rows.find((row) => row.text === text);
  if (!taken) return isLying(o) ? { verdict: 'unsent' } : { wrong: `${from.name} was never able to say ${text}` };
  if (!sent) {
    return isInOutbox(from, to, text) ? { verdict: 'unsent' } : { wrong: `${from.name} lost its own ${text}` };
  }
  if (received && !o.heard.get(to)?.has(received.messageId)) {
    return { wrong: `the inbox of ${to.name} never gave ${text}` };
  }
  if (received && compareSequences(sent.sequence, received.sequence) === 0) return { verdict: 'as said' };
  if (received) {
    if (o.alarms.since(from, to, saidMs) || o.alarms.since(to, from, saidMs)) return { verdict: 'alert' };
    if (touchesHole(own, other, [text])) return { verdict: 'hole' };
    if (isNewest(saying, o) || standsForNewest(own, other, text, o)) return { verdict: 'newest' };
    if (unnoticed.has(o.lie) && isOfTwoEras(own, other, text)) return { verdict: 'other era' };
    return { wrong: `${text} stands at ${place(sent)} and at ${place(received)}, and nothing shows` };
  }
  if (countsAsDelivered(from, to, sent)) return { wrong: `${text} counts as delivered and is not at ${to.name}` };
  const hole = holeOf(to, from, sent);
  if (hole?.startsWith('a hole')) return { verdict: 'hole' };
  if (o.alarms.since(to, from, saidMs)) return { verdict: 'alert' };
  if (isNewest(saying, o) || (isLying(o) && isLast(sent, other))) return { verdict: 'newest' };
  return { wrong: `${to.name} lacks ${text} at ${place(sent)} n=${sent.n}, ${hole ?? 'no hole'}, and shows nothing` };
}

function isLying({ lyingSinceMs }: Lied): boolean {
  return lyingSinceMs !== undefined;
}

function isNewest({ saidMs }: Saying, { lyingSinceMs }: Lied): boolean {
  return lyingSinceMs !== undefined && saidMs >= lyingSinceMs;
}

/**
 * Whether a message stands, with one of two, where the relay put one of the newest of any conversation: it was given in the
 * place of that one.
 */
function standsForNewest(a: Shown, b: Shown, text: string | null, o: Lied): boolean {
  const newest = o.people.flatMap((device) =>
    o.people.flatMap((peer) =>
      device === peer
        ? []
        : shown(device, peer).rows.filter((row) =>
            o.sayings.some((saying) => row.own && saying.text === row.text && isNewest(saying, o)),
          ),
    ),
  );
  const places = [a, b].flatMap(({ rows }) => rows.filter((row) => row.text === text));
  return places.some(({ sequence }) => newest.some((other) => compareSequences(other.sequence, sequence) === 0));
}

/** Whether nothing that its author sent after a message is with the other, or what is still waits for what is before it. */
function isLast(sent: MessageRow, { device: { store }, rows }: Shown): boolean {
  const epoch = rows.find((row) => !row.own)?.epoch;
  const waits = epoch !== undefined && store !== undefined && gaps(store.coverage.view(epoch)).length > 0;
  return waits || !rows.some((row) => !row.own && row.n > sent.n);
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

/** Two messages in another order show it as an alert since they were said, or as a hole beside one of them. */
function differingOrder(a: Shown, b: Shown, o: Lied): string[] {
  return [...inverted(a, b), ...inverted(b, a)].flatMap((texts) => {
    const said = o.sayings.filter(({ text }) => texts.includes(text));
    const saidMs = Math.min(...said.map((saying) => saying.saidMs));
    if (o.alarms.since(a.device, b.device, saidMs) || o.alarms.since(b.device, a.device, saidMs)) return [];
    if (touchesHole(a, b, texts) || said.some((saying) => isNewest(saying, o))) return [];
    if (texts.some((text) => standsForNewest(a, b, text, o))) return [];
    if (unnoticed.has(o.lie) && texts.some((text) => isOfTwoEras(a, b, text))) return [];
    return [`${a.device.name} and ${b.device.name} differ in the order of ${texts.join(' and ')}, and nothing shows`];
  });
}

function isOfTwoEras(a: Shown, b: Shown, text: string): boolean {
  const [inA, inB] = [a, b].map(({ rows }) => rows.find((row) => row.text === text)?.sequence.era);
  return inA !== inB;
}

/** What stands together with one device, and in the other order with the other. */
function inverted(a: Shown, b: Shown): string[][] {
  const inB = new Map(b.rows.map(({ text }, index) => [text, index]));
  const common = a.rows.flatMap(({ text }) => (text !== null && inB.has(text) ? [text] : []));
  return common.flatMap((text, index) => {
    const next = common[index + 1];
    return next !== undefined && (inB.get(text) ?? 0) > (inB.get(next) ?? 0) ? [[text, next]] : [];
  });
}

/** Whether one of two devices shows a hole where one of the messages is with either, or beside what stands unbroken with it. */
function touchesHole(a: Shown, b: Shown, texts: readonly (string | null | undefined)[]): boolean {
  const places = [...a.rows, ...b.rows].filter(({ text }) => texts.includes(text)).map(({ sequence }) => sequence);
  return isBesideHole(a.device, b.device, places) || isBesideHole(b.device, a.device, places);
}

function isBesideHole({ store }: SimulatedDevice, peer: SimulatedDevice, places: readonly Sequence[]): boolean {
  const conversation = store?.conversations.byPeer(peer.account);
  if (!store || !conversation) return false;
  return store.conversations.epochs(conversation.id).some(({ id }) =>
    store.coverage.view(id).eras.some(({ era, held, holes }) =>
      places.some(({ era: other, number }) => {
        const run = held.find(({ from, to }) => from <= number && number <= to) ?? { from: number, to: number };
        return other === era && holes.some(({ from, to }) => from - 1 <= run.to && run.from <= to + 1);
      }),
    ),
  );
}

/** Whether a message waits to be sent, or shows as failed. */
function isInOutbox({ store }: SimulatedDevice, peer: SimulatedDevice, text: string): boolean {
  const conversation = store?.conversations.byPeer(peer.account);
  if (!store || !conversation) return false;
  return store.outbox.ofConversation(conversation.id).some((row) => Buffer.from(row.content).includes(text));
}

function place({ sequence }: MessageRow): string {
  return `(${sequence.era}, ${sequence.number})`;
}
