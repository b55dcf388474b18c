import { compareSequences, parseDeviceId, type Sequence } from '@waxwing/protocol';
import type { AlertRow } from '../../client-core/src/history/alerts.ts';
import type { Store } from '../../client-core/src/history/store.ts';
import type { MessageRow } from '../../client-core/src/history/message-row.ts';
import { contains } from '../../client-core/src/sync/ranges.ts';
import type { Acknowledged } from './acknowledged.ts';
import type { SimulatedDevice } from './device.ts';
import { fillable } from './fillable.ts';
import type { Saying } from './saying.ts';

/** What a person is told of that is no lie. */
export const notices: ReadonlySet<string> = new Set(['device added', 'identity changed']);

export type Shown = { readonly device: SimulatedDevice; readonly rows: readonly MessageRow[] };

/**
 * What must hold when all is quiet: each message that a client took stands once on both devices, at one place, in one order;
 * or it was taken back and stands nowhere; or mail may have been lost, and a hole stands where it is missing, which nobody
 * can fill; or all was lost with which the conversation began for a device, and it never said that it had it.
 */
export function check(o: {
  readonly people: readonly SimulatedDevice[];
  readonly sayings: readonly Saying[];
  readonly heard: ReadonlyMap<SimulatedDevice, ReadonlyMap<string, number>>;
  readonly acknowledged: Acknowledged;
  readonly mayLose: boolean;
}): string[] {
  const found: string[] = fillable(o.people);
  for (const device of o.people) {
    const state = device.client?.connection.getSnapshot().state ?? 'down';
    if (state !== 'online') found.push(`${device.name} is ${state}`);
    for (const event of device.events.splice(0)) {
      if (event.type === 'securityAlert') found.push(`I-11 ${device.name} raised an alarm: ${event.what}`);
    }
    // Whoever listened may have missed what was found as the process ended.
    for (const { what } of device.store ? alertsOf(device.store) : []) {
      found.push(`I-11 ${device.name} keeps an alarm: ${what}`);
    }
  }
  for (const [index, a] of o.people.entries()) {
    for (const b of o.people.slice(index + 1)) found.push(...checkPair(a, b, o));
  }
  return found;
}

function checkPair(a: SimulatedDevice, b: SimulatedDevice, o: Omit<Parameters<typeof check>[0], 'people'>): string[] {
  const found: string[] = [];
  const [atA, atB] = [shown(a, b), shown(b, a)];
  for (const { device, rows } of [atA, atB]) {
    const times = new Map<string, number>();
    for (const { text } of rows) times.set(text ?? '', (times.get(text ?? '') ?? 0) + 1);
    for (const [text, count] of times) if (count > 1) found.push(`${device.name} shows ${text} ${count} times`);
  }
  for (const saying of o.sayings) {
    const own = saying.from === a && saying.to === b ? atA : saying.from === b && saying.to === a ? atB : undefined;
    if (own) found.push(...checkSaying(saying, own, own === atA ? atB : atA, o));
  }
  const places = new Map(atA.rows.map((row) => [row.text, row]));
  const common = atB.rows.filter(({ text }) => places.has(text));
  const order = new Set(common.map(({ text }) => text));
  const inA = atA.rows.filter(({ text }) => order.has(text)).map(({ text }) => text ?? '');
  const inB = common.map(({ text }) => text ?? '');
  const differs = inA.findIndex((text, index) => text !== inB[index]);
  if (differs >= 0) {
    found.push(`I-10 ${a.name} and ${b.name} differ in order at ${inA[differs]} and ${inB[differs]}`);
  }
  for (const row of common) {
    const other = places.get(row.text);
    if (other && compareSequences(other.sequence, row.sequence) !== 0) {
      found.push(
        `I-10 ${row.text} is at ${where(other.sequence)} at ${a.name}, at ${where(row.sequence)} at ${b.name}`,
      );
    }
  }
  return found;
}

function checkSaying(
  { text, from, to, cancelled, taken }: Saying,
  own: Shown,
  other: Shown,
  { heard, acknowledged, mayLose }: Omit<Parameters<typeof check>[0], 'people' | 'sayings'>,
): string[] {
  const found: string[] = [];
  const sent = own.rows.find((row) => row.text === text);
  const received = other.rows.find((row) => row.text === text);
  // The process may have ended before it was told that the message is taken back.
  const mayBeBack = taken && cancelled === undefined && text.startsWith('cancel');
  if (cancelled === true || (mayBeBack && !sent)) {
    if (sent) found.push(`${from.name} shows ${text}, which was taken back`);
    if (received) found.push(`${to.name} shows ${text}, which was taken back`);
    return found;
  }
  if (!taken) return [`${from.name} was never able to say ${text}`];
  if (!sent) return [`I-9 ${from.name} lost its own ${text}`];
  if (received) {
    const given = heard.get(to)?.get(received.messageId) ?? 0;
    if (given === 0) found.push(`the inbox of ${to.name} never gave ${text}`);
    return found;
  }
  if (countsAsDelivered(from, to, sent)) found.push(`${text} counts as delivered and is not at ${to.name}`);
  const hole = holeOf(to, from, sent);
  const at = `${where(sent.sequence)} n=${sent.n}`;
  const handle = from.store?.conversations.epochById(sent.epoch).handle;
  const sender = { account: from.account, device: parseDeviceId(1) };
  if (hole === undefined) found.push(`${to.name} lacks ${text} at ${at}, and shows nothing`);
  else if (handle && acknowledged.has(to.name, { handle, sender, n: sent.n }))
    found.push(`I-11 ${to.name} lacks ${text} at ${at}, shown as ${hole}, and acknowledged it`);
  else if (!mayLose) found.push(`${to.name} lacks ${text}, shown as ${hole}, though nothing could be lost`);
  return found;
}

/** What a device has found that an honest server and honest contacts do not do; that a device was added is none. */
function alertsOf(store: Store): AlertRow[] {
  const found = store.conversations.all().flatMap(({ id }) => store.alerts.of(id));
  return found.filter(({ what }) => !notices.has(what));
}

export function shown(device: SimulatedDevice, peer: SimulatedDevice): Shown {
  const { store } = device;
  const conversation = store?.conversations.byPeer(peer.account);
  const rows = store && conversation ? store.messages.pageBefore(conversation.id, undefined, 100_000) : [];
  return { device, rows: [...rows].reverse() };
}

/** Whether a sender shows a message of its own as delivered. */
export function countsAsDelivered({ store }: SimulatedDevice, to: SimulatedDevice, { epoch, n }: MessageRow): boolean {
  const status = store?.receipts.received(epoch, to.account, 'delivered');
  return status !== undefined && status.n >= n && !contains(status.except, n);
}

/** How a device shows that it lacks a message of another. */
export function holeOf(device: SimulatedDevice, author: SimulatedDevice, sent: MessageRow): string | undefined {
  const { store } = device;
  const theirs = author.store?.conversations.epochById(sent.epoch);
  const epoch = theirs && store?.conversations.epochByHandle(theirs.handle);
  if (!store || !epoch) return 'a conversation that has not begun';
  const view = store.coverage.view(epoch.id);
  if (view.start === undefined || compareSequences(sent.sequence, view.start) < 0) return 'before the start';
  const { era, number } = sent.sequence;
  const hole = store.coverage.holes(epoch.id).find((one) => one.era === era && one.from <= number && number <= one.to);
  if (hole) return `a hole (${hole.reason})`;
  const chain = store.coverage.chainHoles(epoch.id).find(({ fromN, toN, party }) => {
    return store.parties.address(party).account === author.account && fromN <= sent.n && sent.n <= toN;
  });
  if (chain) return `a hole without numbers (${chain.reason})`;
  const first = firstHeld(store, epoch.id, author);
  return first === undefined || sent.n < first ? 'before the first that came' : undefined;
}

/** The lowest n that a device holds of another's frames: the first frame ever seen of it is where it begins. */
function firstHeld(store: Store, epoch: number, author: SimulatedDevice): number | undefined {
  const list = store.lists.get(author.account);
  const own = list?.list.devices.find(({ device }) => device === 1);
  const party = own && store.parties.find({ account: author.account, device: own.device }, own.addedIn);
  if (party === undefined) return undefined;
  return Array.from({ length: 1_000 }, (_, index) => index + 1).find((n) => store.frames.frame(epoch, party, n));
}

function where({ era, number }: Sequence): string {
  return `(${era}, ${number})`;
}
