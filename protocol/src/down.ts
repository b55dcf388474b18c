import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  DownBatchSchema,
  MarkReason as Reason,
  type DownSchema,
  type Down as DownShape,
  type Mark as MarkShape,
} from './gen/waxwing/v1/wire_pb.ts';
import { isErrorCode, type ErrorCode } from './errors.ts';
import {
  accountIdFromBytes,
  parseDeviceId,
  parsePosition,
  incarnationToBytes,
  uuidToBytes,
  type AccountId,
  type DeviceAddress,
  type DeviceId,
  type Handle,
  type Position,
  type Sequence,
} from './ids.ts';
import { limits } from './limits.ts';
import { readDeliveries } from './deliver-bytes.ts';
import { acceptedLength, deliverLength, writeAccepted, writeDeliver } from './down-bytes.ts';
import { envelopeMaxBytes } from './envelope.ts';
import {
  atMost,
  decodeForm,
  encodeForm,
  exactly,
  fromHandle,
  fromPosition,
  fromSequence,
  malformed,
  refuseOver,
  required,
  toCount,
  toHandle,
  toNumber,
  toPosition,
  toSequence,
  type Form,
} from './schema.ts';

export type Challenge = {
  readonly type: 'challenge';
  readonly nonce: Uint8Array;
  readonly serverTimeMs: number;
  readonly versions: readonly number[];
  readonly limits: {
    readonly batchMaxBytes: number;
    readonly ciphertextMaxBytes: number;
    readonly windowPerHandle: number;
    readonly windowInAll: number;
    readonly heartbeatMs: number;
  };
};

/** Why entries of a mailbox went untaken. */
export type MarkReason = 'expired' | 'over_quota';

/** `count` entries between the positions `from` and `to`, both included, are gone from this mailbox. */
export type Mark = { readonly from: number; readonly to: number; readonly count: number; readonly reason: MarkReason };

export type Ready = {
  readonly type: 'ready';
  /** The mailbox that this connection drains: 8 bytes as base64url. */
  readonly incarnation: string;
  readonly mailboxRestarted: boolean;
  readonly prekeysLow: boolean;
  readonly marks: readonly Mark[];
};

/** `envelope` is serialised, as the relay stores it. */
export type Deliver = { readonly type: 'deliver'; readonly position: Position; readonly envelope: Uint8Array };
export type Marks = { readonly type: 'marks'; readonly marks: readonly Mark[] };
export type Drained = { readonly type: 'drained' };

/** Final. Of a direct submit `n` is 0 and there is no sequence. */
export type Accepted = {
  readonly type: 'accepted';
  readonly request: number;
  readonly duplicate: boolean;
  readonly n: number;
  readonly attempt: number;
  readonly sequence?: Sequence;
  readonly predecessor?: Sequence;
  readonly serverTimeMs: number;
};

/** How the devices that a submit named differ from the account's newest list. */
export type Mismatch = {
  readonly account: AccountId;
  readonly listVersion: number;
  readonly missing: readonly DeviceId[];
  readonly extra: readonly DeviceId[];
  readonly stale: readonly DeviceId[];
};

export type Rejected = {
  readonly type: 'rejected';
  readonly request: number;
  readonly code: ErrorCode;
  readonly retryAfterMs: number;
  readonly mismatches: readonly Mismatch[];
  readonly lastChange?: number;
};

export type Head = { readonly handle: Handle; readonly last?: Sequence; readonly predecessor?: Sequence };
export type HeadsReply = { readonly type: 'heads_reply'; readonly request: number; readonly heads: readonly Head[] };

export type Entry = { readonly number: number; readonly sender: DeviceAddress; readonly n: number };
export type EntriesReply = {
  readonly type: 'entries_reply';
  readonly request: number;
  readonly entries: readonly Entry[];
};

export type DownHeartbeat = { readonly type: 'heartbeat' };
export type GoAway = { readonly type: 'go_away'; readonly retryAfterMs: number };
export type PrekeysLow = { readonly type: 'prekeys_low' };
export type MailboxRestarted = { readonly type: 'mailbox_restarted'; readonly incarnation: string };

/** What the relay says to a device. */
export type Down =
  | Challenge
  | Ready
  | Deliver
  | Marks
  | Drained
  | Accepted
  | Rejected
  | HeadsReply
  | EntriesReply
  | DownHeartbeat
  | GoAway
  | PrekeysLow
  | MailboxRestarted;

/** A batch that carries envelopes may be larger than one that a device may send: the largest envelope must fit. */
export const downBatchMaxBytes = limits.deliverWindowBytes + 2 * envelopeMaxBytes;

export function encodeDownBatch(messages: readonly Down[], form: Form = 'binary'): Uint8Array {
  return form === 'binary' ? encodeBytes(messages) : encodeAnyDownBatch(messages, form);
}

/** What most messages are is written by hand; a batch is its messages one after the other. */
function encodeBytes(messages: readonly Down[]): Uint8Array {
  const rare: Uint8Array[] = [];
  let length = 0;
  for (const down of messages) {
    if (down.type === 'deliver') length += deliverLength(down);
    else if (down.type === 'accepted') length += acceptedLength(down);
    else {
      const bytes = rareBytes(down);
      rare.push(bytes);
      length += bytes.length;
    }
  }
  const out = Buffer.allocUnsafe(length);
  let [at, next] = [0, 0];
  for (const down of messages) {
    if (down.type === 'deliver') at = writeDeliver(out, at, down);
    else if (down.type === 'accepted') at = writeAccepted(out, at, down);
    else {
      const bytes = rare[next++] ?? nothing;
      out.set(bytes, at);
      at += bytes.length;
    }
  }
  return out;
}

function rareBytes(down: Down): Uint8Array {
  if (down.type === 'heartbeat') return heartbeatBytes;
  return down.type === 'drained' ? drainedBytes : encodeAnyDownBatch([down], 'binary');
}

const nothing = new Uint8Array(0);
const heartbeatBytes = encodeAnyDownBatch([{ type: 'heartbeat' }], 'binary');
const drainedBytes = encodeAnyDownBatch([{ type: 'drained' }], 'binary');

/** The same for every message, with the generated code. */
function encodeAnyDownBatch(messages: readonly Down[], form: Form): Uint8Array {
  const batch = create(DownBatchSchema, { messages: messages.map((down) => ({ message: toShape(down) })) });
  return encodeForm(DownBatchSchema, batch, form);
}

/** Refuses with `malformed` or `too_large`. Messages of a kind that this version does not know are left out. */
export function decodeDownBatch(bytes: Uint8Array, form: Form = 'binary'): Down[] {
  refuseOver(bytes.length, downBatchMaxBytes, DownBatchSchema.name);
  return (form === 'binary' ? readDeliveries(bytes) : undefined) ?? decodeAnyDownBatch(bytes, form);
}

/** The same for every batch, with the generated code. */
function decodeAnyDownBatch(bytes: Uint8Array, form: Form): Down[] {
  const batch = decodeForm(DownBatchSchema, bytes, downBatchMaxBytes, form);
  return batch.messages.flatMap((down) => (down.message.case === undefined ? [] : [fromShape(down.message)]));
}

function toShape(down: Down): NonNullable<MessageInitShape<typeof DownSchema>['message']> {
  switch (down.type) {
    case 'challenge': {
      const { nonce, versions } = down;
      const serverTimeMs = BigInt(down.serverTimeMs);
      return { case: 'challenge', value: { nonce, serverTimeMs, versions: [...versions], limits: down.limits } };
    }
    case 'ready': {
      const { mailboxRestarted, prekeysLow } = down;
      const incarnation = incarnationToBytes(down.incarnation);
      return { case: 'ready', value: { incarnation, mailboxRestarted, prekeysLow, marks: down.marks.map(fromMark) } };
    }
    case 'deliver':
      return { case: 'deliver', value: { position: fromPosition(down.position), envelope: down.envelope } };
    case 'marks':
      return { case: 'marks', value: { marks: down.marks.map(fromMark) } };
    case 'drained':
      return { case: 'drained', value: {} };
    case 'accepted': {
      const { request, duplicate, n, attempt, sequence, predecessor } = down;
      return {
        case: 'accepted',
        value: {
          request,
          duplicate,
          n,
          attempt,
          serverTimeMs: BigInt(down.serverTimeMs),
          ...(sequence && { sequence: fromSequence(sequence) }),
          ...(predecessor && { predecessor: fromSequence(predecessor) }),
        },
      };
    }
    case 'rejected': {
      const { request, code, retryAfterMs, lastChange } = down;
      return {
        case: 'rejected',
        value: {
          request,
          code,
          retryAfterMs,
          mismatches: down.mismatches.map((mismatch) => ({
            account: uuidToBytes(mismatch.account),
            listVersion: mismatch.listVersion,
            missing: [...mismatch.missing],
            extra: [...mismatch.extra],
            stale: [...mismatch.stale],
          })),
          ...(lastChange !== undefined && { lastChange: BigInt(lastChange) }),
        },
      };
    }
    case 'heads_reply': {
      const heads = down.heads.map(({ handle, last, predecessor }) => ({
        handle: fromHandle(handle),
        ...(last && { last: fromSequence(last) }),
        ...(predecessor && { predecessor: fromSequence(predecessor) }),
      }));
      return { case: 'headsReply', value: { request: down.request, heads } };
    }
    case 'entries_reply': {
      const entries = down.entries.map(({ number, sender, n }) => ({
        number: BigInt(number),
        senderAccount: uuidToBytes(sender.account),
        senderDevice: sender.device,
        n,
      }));
      return { case: 'entriesReply', value: { request: down.request, entries } };
    }
    case 'heartbeat':
      return { case: 'heartbeat', value: {} };
    case 'go_away':
      return { case: 'goAway', value: { retryAfterMs: down.retryAfterMs } };
    case 'prekeys_low':
      return { case: 'prekeysLow', value: {} };
    case 'mailbox_restarted':
      return { case: 'mailboxRestarted', value: { incarnation: incarnationToBytes(down.incarnation) } };
  }
}

function fromShape(message: Exclude<DownShape['message'], { case: undefined }>): Down {
  switch (message.case) {
    case 'challenge': {
      const { nonce, serverTimeMs, versions, limits: told } = message.value;
      const { batchMaxBytes, ciphertextMaxBytes, windowPerHandle, windowInAll, heartbeatMs } = required(told, 'limits');
      return {
        type: 'challenge',
        nonce: exactly(nonce, 32, 'nonce'),
        serverTimeMs: toNumber(serverTimeMs, 'server time'),
        versions,
        limits: {
          batchMaxBytes: toCount(batchMaxBytes, 'batch limit'),
          ciphertextMaxBytes: toCount(ciphertextMaxBytes, 'ciphertext limit'),
          windowPerHandle: toCount(windowPerHandle, 'window'),
          windowInAll: toCount(windowInAll, 'window'),
          heartbeatMs: toCount(heartbeatMs, 'heartbeat'),
        },
      };
    }
    case 'ready': {
      const { incarnation, mailboxRestarted, prekeysLow, marks } = message.value;
      const mailbox = parsePosition(incarnation, 0).incarnation;
      return { type: 'ready', incarnation: mailbox, mailboxRestarted, prekeysLow, marks: marks.map(toMark) };
    }
    case 'deliver': {
      const { position, envelope } = message.value;
      refuseOver(envelope.length, envelopeMaxBytes, 'envelope');
      return { type: 'deliver', position: toPosition(required(position, 'position')), envelope };
    }
    case 'marks':
      return { type: 'marks', marks: message.value.marks.map(toMark) };
    case 'drained':
      return { type: 'drained' };
    case 'accepted': {
      const { request, duplicate, n, attempt, sequence, predecessor, serverTimeMs } = message.value;
      return {
        type: 'accepted',
        request,
        duplicate,
        n,
        attempt,
        serverTimeMs: toNumber(serverTimeMs, 'server time'),
        ...(sequence && { sequence: toSequence(sequence) }),
        ...(predecessor && { predecessor: toSequence(predecessor) }),
      };
    }
    case 'rejected': {
      const { request, code, retryAfterMs, mismatches, lastChange } = message.value;
      return {
        type: 'rejected',
        request,
        code: isErrorCode(code) ? code : malformed('error code'),
        retryAfterMs,
        mismatches: mismatches.map((mismatch) => ({
          account: accountIdFromBytes(mismatch.account),
          listVersion: mismatch.listVersion,
          missing: mismatch.missing.map(parseDeviceId),
          extra: mismatch.extra.map(parseDeviceId),
          stale: mismatch.stale.map(parseDeviceId),
        })),
        ...(lastChange !== undefined && { lastChange: toNumber(lastChange, 'last change') }),
      };
    }
    case 'headsReply': {
      const heads = atMost(message.value.heads, limits.handlesPerHeads, 'heads').map(
        ({ handle, last, predecessor }) => ({
          handle: toHandle(handle),
          ...(last && { last: toSequence(last) }),
          ...(predecessor && { predecessor: toSequence(predecessor) }),
        }),
      );
      return { type: 'heads_reply', request: message.value.request, heads };
    }
    case 'entriesReply': {
      const entries = atMost(message.value.entries, limits.numbersPerEntries, 'entries').map((entry) => ({
        number: toCount(toNumber(entry.number, 'number'), 'number'),
        sender: { account: accountIdFromBytes(entry.senderAccount), device: parseDeviceId(entry.senderDevice) },
        n: toCount(entry.n, 'n'),
      }));
      return { type: 'entries_reply', request: message.value.request, entries };
    }
    case 'heartbeat':
      return { type: 'heartbeat' };
    case 'goAway':
      return { type: 'go_away', retryAfterMs: message.value.retryAfterMs };
    case 'prekeysLow':
      return { type: 'prekeys_low' };
    case 'mailboxRestarted':
      return { type: 'mailbox_restarted', incarnation: parsePosition(message.value.incarnation, 0).incarnation };
  }
}

function fromMark(mark: Mark) {
  return {
    from: BigInt(mark.from),
    to: BigInt(mark.to),
    count: mark.count,
    reason: mark.reason === 'expired' ? Reason.EXPIRED : Reason.OVER_QUOTA,
  };
}

function toMark(mark: MarkShape): Mark {
  const from = toCount(toNumber(mark.from, 'mark'), 'mark');
  const to = toNumber(mark.to, 'mark');
  const count = toCount(mark.count, 'mark');
  if (from > to) malformed('mark');
  switch (mark.reason) {
    case Reason.EXPIRED:
      return { from, to, count, reason: 'expired' };
    case Reason.OVER_QUOTA:
      return { from, to, count, reason: 'over_quota' };
    default:
      return malformed('mark reason');
  }
}
