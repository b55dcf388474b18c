import type { Position } from '@waxwing/protocol';
import type { DeviceKey } from '../device-key.ts';
import type { MailboxEntry, MailboxPage, OpenMailbox } from '../mailbox-store.ts';
import { marksBehind } from '../rules/marks.ts';
import type { EngineContext } from './context.ts';
import { needsExpiry } from './mailbox-rows.ts';
import type { Mailbox } from './records.ts';

/** An incarnation is 8 random bytes. */
const INCARNATION_BYTES = 8;

/** The device's mailbox, begun if there is none or if another incarnation of the store had begun it. */
export function ensureMailbox(context: EngineContext, device: DeviceKey): Mailbox {
  const found = context.records.mailboxes.get(device);
  return found?.drawnUnder === context.incarnation ? found : beginMailbox(context, device);
}

function beginMailbox(context: EngineContext, device: DeviceKey): Mailbox {
  const incarnation = Buffer.from(context.randomBytes(INCARNATION_BYTES)).toString('base64url');
  context.record({ type: 'mailbox_begun', device, incarnation, drawnUnder: context.incarnation });
  return current(context, device);
}

/** See `MailboxStore.open`. */
export function openMailbox(context: EngineContext, device: DeviceKey, committed?: Position): OpenMailbox {
  const found = ensureMailbox(context, device);
  // A position that was never given here: the store has forgotten what it gave, and would give its numbers again.
  const hasForgotten = committed?.incarnation === found.incarnation && committed.number > found.last;
  const { incarnation } = hasForgotten ? beginMailbox(context, device) : found;
  const restarted = committed !== undefined && committed.incarnation !== incarnation;
  if (committed && !restarted) trim(context, device, committed.number);
  expire(context, device);
  const { marks } = current(context, device);
  const after = committed && !restarted ? committed.number : 0;
  return { incarnation, restarted, after, marks: marksBehind(marks, after) };
}

/** See `MailboxStore.read`. */
export function readMailbox(
  context: EngineContext,
  device: DeviceKey,
  after: number,
  max: { readonly entries: number; readonly bytes: number },
): MailboxPage {
  expire(context, device);
  const mailbox = context.records.mailboxes.get(device);
  if (mailbox === undefined) return { entries: [], marks: [] };
  const entries: MailboxEntry[] = [];
  let bytes = 0;
  for (const { number, envelope } of context.records.rows.read(device, Math.max(after, mailbox.gone))) {
    bytes += envelope.length;
    if (entries.length >= max.entries || (bytes > max.bytes && entries.length > 0)) break;
    entries.push({ number, envelope });
  }
  return { entries, marks: marksBehind(mailbox.marks, after) };
}

/** See `MailboxStore.ack`. */
export function ackMailbox(
  context: EngineContext,
  device: DeviceKey,
  committed: Position,
): { type: 'trimmed' } | { type: 'restarted'; incarnation: string } {
  const { incarnation } = ensureMailbox(context, device);
  if (incarnation !== committed.incarnation) return { type: 'restarted', incarnation };
  trim(context, device, committed.number);
  return { type: 'trimmed' };
}

/** See `MailboxStore.drop`. */
export function dropMailbox(context: EngineContext, device: DeviceKey): void {
  if (context.records.mailboxes.get(device)) context.record({ type: 'dropped', device });
}

/** Drops what is due. */
export function expire(context: EngineContext, device: DeviceKey): void {
  const { records, nowMs, limits } = context;
  const mailbox = records.mailboxes.get(device);
  if (mailbox && needsExpiry(mailbox, nowMs, limits)) context.record({ type: 'expired', device, nowMs });
}

function trim(context: EngineContext, device: DeviceKey, upTo: number): void {
  const { acked, last } = current(context, device);
  if (Math.min(upTo, last) > acked) context.record({ type: 'trimmed', device, upTo });
}

function current(context: EngineContext, device: DeviceKey): Mailbox {
  const mailbox = context.records.mailboxes.get(device);
  if (mailbox === undefined) throw new Error('a mailbox that was begun is there');
  return mailbox;
}
