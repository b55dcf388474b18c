import { parseMessageId, type ErrorCode } from '@waxwing/protocol';
import type { ConnectionState } from './connection-state.ts';
import { WaxwingError } from './errors.ts';
import type { HoleAge, HoleReason } from './history/coverage.ts';
import type { DiskWatch } from './history/disk-watch.ts';
import { parseHoleId, type HoleId } from './history/hole-id.ts';
import type { MessageRow } from './history/message-row.ts';
import type { OutboxRow } from './history/outbox.ts';
import type { Store } from './history/store.ts';
import { statusReader } from './message.ts';
import { traceCauses, type MessageTrace, type TraceCause } from './message-trace.ts';
import { sendHold, type IdentityPolicy } from './sync/send-hold.ts';
import { unlessMalformed } from './sync/unless-malformed.ts';

/** What is looked at to explain a message. */
export type ExplainParts = {
  readonly store: Store;
  readonly disk: Pick<DiskWatch, 'isFull'>;
  readonly connection: () => ConnectionState;
  readonly identityPolicy: IdentityPolicy;
  /** When an outbox row is tried again, where it waits for a time. */
  readonly nextTryMs: (outbox: number) => number | undefined;
};

type Found = {
  readonly state: MessageTrace['state'];
  readonly sinceMs: number;
  readonly tries?: number;
} & Why;

type Why = { readonly cause: TraceCause; readonly codes?: readonly string[]; readonly nextTryMs?: number | undefined };

/** The latest time that a date can be. */
const LATEST_DATE_MS = 8.64e15;

/**
 * The cause and next step of a message by its id, or of a missing one by the id of its hole. One whose hole has filled is
 * explained by what came. Throws `unknown_message` for an id of neither. Writes nothing.
 */
export function explain(id: string, parts: ExplainParts): MessageTrace {
  const found = find(id, parts);
  if (found === undefined) throw new WaxwingError('unknown_message');
  const { state, cause, sinceMs, tries = 0, codes = [], nextTryMs } = found;
  return {
    id,
    state,
    cause,
    since: iso(sinceMs),
    nextStep: traceCauses[cause],
    tries,
    ...(nextTryMs !== undefined && { nextTryAt: iso(nextTryMs) }),
    codes,
  };
}

/** What the relay and others say may be any number. */
function iso(ms: number): string {
  return new Date(Math.min(ms, LATEST_DATE_MS)).toISOString();
}

function find(id: string, parts: ExplainParts): Found | undefined {
  const { store } = parts;
  const hole = unlessMalformed(() => parseHoleId(id));
  if (hole) return missing(store, hole);
  const messageId = unlessMalformed(() => parseMessageId(id));
  if (messageId === undefined) return undefined;
  const row = store.outbox.byId(messageId);
  if (row) return unsent(row, parts);
  const message = store.messages.byId(messageId);
  return message && inHistory(store, message);
}

function inHistory(store: Store, message: MessageRow): Found {
  const sinceMs = message.serverTimeMs;
  if (message.own) {
    const { state } = statusReader(store)(message);
    return { state, sinceMs, cause: state === 'sent' ? 'awaiting_delivery' : 'none' };
  }
  const cause = message.inbox === null ? 'held_back' : message.late ? 'late' : 'none';
  return { state: 'received', sinceMs, cause };
}

function unsent(row: OutboxRow, parts: ExplainParts): Found {
  const { sentAtMs: sinceMs, tries } = row;
  if (row.state === 'failed') return { state: 'failed', sinceMs, tries, ...failed(row.failure) };
  return { state: 'queued', sinceMs, tries, ...waiting(row, parts) };
}

function failed(failure: string | null): Why {
  switch (failure) {
    case null:
    case 'cancelled':
      return { cause: 'taken_back' };
    case 'unknown_recipient':
      return { cause: 'unknown_recipient', codes: [failure] };
    default:
      return { cause: 'refused', codes: [failure] };
  }
}

/**
 * What keeps a message from leaving, the nearest first: the device, its person, the connection, the message itself, one
 * before it.
 */
function waiting(row: OutboxRow, { store, disk, connection, identityPolicy, nextTryMs }: ExplainParts): Why {
  if (disk.isFull) return { cause: 'disk_full', codes: ['store_full'], nextTryMs: nextTryMs(row.id) };
  const peer = store.conversations.byId(row.conversation)?.peer;
  const hold = peer && sendHold(store, identityPolicy, peer);
  if (hold) return { cause: 'identity_changed', codes: [hold.cause] };
  const now = connection();
  const cut = disconnected(now);
  if (cut) {
    const codes = [now.state, ...(now.reason ? [now.reason] : []), ...(row.refused ? [row.refused] : [])];
    return { cause: cut, codes, nextTryMs: now.retryAt?.getTime() };
  }
  if (row.cancelling) return { cause: 'taking_back' };
  // What is before it in the conversation goes first: what holds that up holds this up.
  const held = row.refused === null ? store.outbox.refusedBefore(row) : row;
  const code = held?.refused;
  if (!held || !code) return { cause: 'sending', nextTryMs: nextTryMs(row.id) };
  return { cause: refusal(code), codes: [code], nextTryMs: nextTryMs(held.id) };
}

function disconnected({ state, retryAt }: ConnectionState): TraceCause | undefined {
  switch (state) {
    case 'online':
    case 'catching-up':
      return undefined;
    case 'connecting':
      return 'offline';
    case 'offline':
      return retryAt ? 'offline' : 'not_connected';
    case 'closed':
      return 'not_connected';
    case 'needs-auth':
      return 'not_admitted';
    case 'displaced':
    case 'cloned':
      return state;
  }
}

/** The cause of a row's last refusal. What is refused for good is given up, and has its own. */
function refusal(code: string): TraceCause {
  const own = refusals.find(([known]) => known === code);
  return own ? own[1] : 'relay_busy';
}

const refusals: readonly (readonly [ErrorCode | 'no_keys', TraceCause])[] = [
  ['mismatch', 'device_list_changed'],
  ['no_keys', 'keys_unavailable'],
];

function missing(store: Store, id: HoleId): Found | undefined {
  const { coverage, frames, messages } = store;
  const hole =
    id.type === 'numbers' ? coverage.holeAt(id.epoch, id.from) : coverage.chainHoleAt(id.epoch, id.party, id.fromN);
  if (hole) return inHole(hole);
  const at = id.type === 'numbers' ? id.from : frames.frame(id.epoch, id.party, id.fromN)?.stands;
  if (!at) return undefined;
  const message = messages.byPlace(id.epoch, at);
  if (message) return inHistory(store, message);
  // A frame that nobody sees stands there.
  return frames.place(id.epoch, at) && { state: 'missing', sinceMs: at.era, cause: 'taken_back' };
}

function inHole({ reason, age }: { readonly reason: HoleReason; readonly age: HoleAge }): Found {
  const { sinceMs, tries, dueMs } = age;
  const cause = holeCauses[reason];
  return { state: 'missing', sinceMs, tries, cause, codes: [reason], ...(dueMs !== null && { nextTryMs: dueMs }) };
}

const holeCauses: Readonly<Record<HoleReason, TraceCause>> = {
  'in flight': 'in_flight',
  expired: 'expired',
  'over quota': 'over_quota',
  undecryptable: 'undecryptable',
  refused: 'not_credible',
  'awaiting sender': 'awaiting_sender',
  'unlisted device': 'unlisted_device',
  lost: 'lost',
  removed: 'removed',
};
