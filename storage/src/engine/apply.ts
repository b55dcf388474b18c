import type { Handle } from '@waxwing/protocol';
import type { DeviceKey } from '../device-key.ts';
import { advance, remember } from '../rules/commit.ts';
import { liveCounter, liveMemory } from '../rules/counter.ts';
import type { StoreLimits } from '../store-limits.ts';
import type { Committed, RelayEvent } from './events.ts';
import { appendRow, beginMailbox, dropMailbox, expireRows, trimMailbox } from './mailbox-rows.ts';
import type { Records } from './records.ts';

/**
 * A part of the state that an event changes on its own: the records of a handle, or those of a device's mailbox. Parts
 * do not read each other, so that each may be written to disk apart and brought up to date from the events.
 */
export type Part =
  { readonly type: 'handle'; readonly handle: Handle } | { readonly type: 'mailbox'; readonly device: DeviceKey };

/** Makes the event true in all parts for which `applies` holds. Deterministic: same state and event, same state after. */
export function applyEvent(
  records: Records,
  event: RelayEvent,
  limits: StoreLimits,
  applies: (part: Part) => boolean = () => true,
): void {
  const inMailbox = (device: DeviceKey): boolean => applies({ type: 'mailbox', device });
  switch (event.type) {
    case 'committed':
      if (applies({ type: 'handle', handle: event.handle })) count(records, event, limits);
      for (const { device, envelope } of event.deliveries) {
        if (!inMailbox(device)) continue;
        appendRow(records, device, { sender: event.sender.account, committedMs: event.serverTimeMs, envelope }, limits);
      }
      return;
    case 'direct':
      for (const { device, envelope } of event.deliveries) {
        if (!inMailbox(device)) continue;
        const { sender, messageId, serverTimeMs } = event;
        appendRow(records, device, { sender: sender.account, committedMs: serverTimeMs, envelope }, limits);
        records.seen.set({ device, sender, messageId }, serverTimeMs);
      }
      return;
    case 'mailbox_begun':
      if (inMailbox(event.device)) beginMailbox(records, event);
      return;
    case 'trimmed':
      if (inMailbox(event.device)) trimMailbox(records, event.device, event.upTo);
      return;
    case 'expired':
      if (inMailbox(event.device)) expireRows(records, event.device, event.nowMs, limits);
      return;
    case 'dropped':
      if (inMailbox(event.device)) dropMailbox(records, event.device);
      return;
  }
}

function count(records: Records, event: Committed, limits: StoreLimits): void {
  const { handle, sender, n, attempt, digest, sequence, predecessor, serverTimeMs, accounts } = event;
  const before = liveCounter(records.counters.get(handle), serverTimeMs, limits.counterTtlMs);
  const counter = advance(before, event);
  const memory = liveMemory(records.memories.get({ handle, sender }), counter);
  const result = { n, attempt, digest, sequence, ...(predecessor && { predecessor }), serverTimeMs };
  records.counters.set(handle, counter);
  records.memories.set({ handle, sender }, remember(memory, counter.life, result, limits.resultsRemembered));
  records.entries.set({ handle, ...sequence }, { sender, n, accounts, committedMs: serverTimeMs });
}
