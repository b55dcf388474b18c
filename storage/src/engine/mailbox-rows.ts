import type { AccountId, MarkReason } from '@waxwing/protocol';
import type { DeviceKey } from '../device-key.ts';
import { addMark, marksBehind, type Run } from '../rules/marks.ts';
import { emptyFill, grow, isOverQuota, isOverShare, less, shrink } from '../rules/quota.ts';
import type { StoreLimits } from '../store-limits.ts';
import type { MailboxBegun } from './events.ts';
import type { Mailbox, MailboxRow, Records, RowHead } from './records.ts';

// How events change a mailbox. All of it follows from the records and the event alone (I-4).

/** Creates the mailbox, or gives the one that is there another incarnation; its entries stay, numbered as they were. */
export function beginMailbox(records: Records, { device, incarnation, drawnUnder }: MailboxBegun): void {
  const fresh = { acked: 0, gone: 0, last: 0, fill: emptyFill, marks: [], oldestMs: 0 };
  records.mailboxes.set(device, { ...(records.mailboxes.get(device) ?? fresh), incarnation, drawnUnder });
}

/** Appends an entry; what is due, over quota or over its sender's share goes. Nothing happens where there is no mailbox. */
export function appendRow(
  records: Records,
  device: DeviceKey,
  row: Omit<MailboxRow, 'number'>,
  limits: StoreLimits,
): void {
  expireRows(records, device, row.committedMs, limits);
  const mailbox = records.mailboxes.get(device);
  if (mailbox === undefined) return;
  const number = mailbox.last + 1;
  const bytes = row.envelope.length;
  const oldestMs = mailbox.fill.entries === 0 ? row.committedMs : mailbox.oldestMs;
  const fill = grow(mailbox.fill, bytes);
  const key = { device, sender: row.sender };
  const before = records.shares.get(key);
  const share = { fill: grow(before?.fill ?? emptyFill, bytes), first: before?.first ?? number };
  records.mailboxes.set(device, { ...mailbox, last: number, fill, oldestMs });
  records.shares.set(key, share);
  records.rows.append(device, { ...row, number });
  if (isOverShare(share.fill, limits)) keepShare(records, device, row.sender, limits);
  if (isOverQuota(fill, limits)) keepQuota(records, device, limits);
}

export function trimMailbox(records: Records, device: DeviceKey, upTo: number): void {
  const before = records.mailboxes.get(device);
  if (before === undefined) return;
  const acked = Math.min(Math.max(before.acked, upTo), before.last);
  const trimmed = [...records.rows.heads(device, before.gone + 1, acked)];
  const mailbox = without(records, device, before, trimmed, Math.max(before.gone, acked));
  records.mailboxes.set(device, { ...mailbox, acked, marks: marksBehind(mailbox.marks, acked) });
}

/** Whether something may be due, or bears a date that is still to come. */
export function needsExpiry({ fill, oldestMs }: Mailbox, nowMs: number, limits: StoreLimits): boolean {
  return fill.entries > 0 && (oldestMs + limits.mailboxTtlMs <= nowMs || oldestMs > nowMs);
}

/** Drops the entries that are due, oldest first, up to the first that is not. */
export function expireRows(records: Records, device: DeviceKey, nowMs: number, limits: StoreLimits): void {
  const mailbox = records.mailboxes.get(device);
  if (mailbox === undefined || !needsExpiry(mailbox, nowMs, limits)) return;
  const due: RowHead[] = [];
  let oldestMs = mailbox.oldestMs;
  for (const head of records.rows.heads(device, mailbox.gone + 1)) {
    oldestMs = dateOf(mailbox, head);
    if (oldestMs + limits.mailboxTtlMs > nowMs) break;
    due.push(head);
  }
  const redated = oldestMs > nowMs && { redated: { upTo: mailbox.last, ms: nowMs }, oldestMs: nowMs };
  const left = withoutOldest(records, device, mailbox, due, 'expired', limits);
  records.mailboxes.set(device, { ...left, oldestMs, ...redated });
}

export function dropMailbox(records: Records, device: DeviceKey): void {
  const mailbox = records.mailboxes.get(device);
  if (mailbox === undefined) return;
  for (const { sender } of records.rows.heads(device, mailbox.gone + 1)) records.shares.delete({ device, sender });
  records.rows.drop(device);
  records.mailboxes.delete(device);
}

function dateOf({ redated }: Mailbox, head: RowHead): number {
  return redated && head.number <= redated.upTo ? Math.min(head.committedMs, redated.ms) : head.committedMs;
}

function keepShare(records: Records, device: DeviceKey, sender: AccountId, limits: StoreLimits): void {
  const mailbox = records.mailboxes.get(device);
  const share = records.shares.get({ device, sender });
  if (mailbox === undefined || share === undefined) return;
  const over: RowHead[] = [];
  let { fill, first } = share;
  for (const head of records.rows.heads(device, Math.max(first, mailbox.gone + 1))) {
    if (head.sender !== sender) continue;
    first = head.number;
    if (!isOverShare(fill, limits)) break;
    over.push(head);
    fill = shrink(fill, head.bytes);
  }
  for (const { number } of over) records.rows.delete(device, number);
  const left = without(records, device, mailbox, over, mailbox.gone);
  records.mailboxes.set(device, { ...left, marks: marked(left, over, 'over_quota', limits) });
  records.shares.set({ device, sender }, { fill, first });
}

function keepQuota(records: Records, device: DeviceKey, limits: StoreLimits): void {
  const mailbox = records.mailboxes.get(device);
  if (mailbox === undefined) return;
  const over: RowHead[] = [];
  let { fill } = mailbox;
  for (const head of records.rows.heads(device, mailbox.gone + 1)) {
    if (!isOverQuota(fill, limits)) break;
    over.push(head);
    fill = shrink(fill, head.bytes);
  }
  records.mailboxes.set(device, withoutOldest(records, device, mailbox, over, 'over_quota', limits));
}

/** The mailbox after its oldest entries went, with their marks. */
function withoutOldest(
  records: Records,
  device: DeviceKey,
  mailbox: Mailbox,
  oldest: readonly RowHead[],
  reason: MarkReason,
  limits: StoreLimits,
): Mailbox {
  const left = without(records, device, mailbox, oldest, oldest.at(-1)?.number ?? mailbox.gone);
  return { ...left, marks: marked(left, oldest, reason, limits) };
}

/** The mailbox without these entries; everything up to `gone` is deleted. What their senders fill is brought up to date. */
function without(
  records: Records,
  device: DeviceKey,
  mailbox: Mailbox,
  heads: readonly RowHead[],
  gone: number,
): Mailbox {
  let { fill } = mailbox;
  let at = 0;
  for (let head = heads[at]; head; head = heads[at]) {
    const { sender } = head;
    let run = emptyFill;
    for (let next: RowHead | undefined = head; next?.sender === sender; next = heads[at]) {
      run = grow(run, next.bytes);
      at += 1;
    }
    fill = less(fill, run);
    const share = records.shares.get({ device, sender });
    if (share === undefined) continue;
    if (share.fill.entries <= run.entries) records.shares.delete({ device, sender });
    else records.shares.set({ device, sender }, { ...share, fill: less(share.fill, run) });
  }
  if (gone > mailbox.gone) records.rows.deleteUpTo(device, gone);
  return { ...mailbox, gone, fill };
}

function marked(mailbox: Mailbox, gone: readonly RowHead[], reason: MarkReason, limits: StoreLimits): Mailbox['marks'] {
  return runsOf(gone).reduce((marks, run) => addMark(marks, run, reason, limits.marksPerMailbox), mailbox.marks);
}

function runsOf(gone: readonly RowHead[]): Run[] {
  const runs: Run[] = [];
  for (const { number } of gone) {
    const last = runs.at(-1);
    if (last?.to === number - 1) runs[runs.length - 1] = { ...last, to: number, count: last.count + 1 };
    else runs.push({ from: number, to: number, count: 1 });
  }
  return runs;
}
