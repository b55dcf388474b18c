import { encodeEnvelope, type CiphertextKind } from '@waxwing/protocol';
import type { DirectResult, DirectSubmission, SequencedSubmit, SubmitResult } from '../mailbox-store.ts';
import { decideCommit } from '../rules/commit.ts';
import { liveCounter, liveMemory } from '../rules/counter.ts';
import { checkDirectSets, type Addressed } from '../rules/device-sets.ts';
import { isPast } from '../rules/expiry.ts';
import type { EngineContext } from './context.ts';
import type { Delivery } from './events.ts';
import { ensureMailbox } from './mailbox.ts';

/** See `MailboxStore.submit`. */
export function submit(context: EngineContext, asked: SequencedSubmit): SubmitResult {
  const { records, newestList, incarnation, nowMs, limits } = context;
  const { sender, handle, n, attempt, digest, change } = asked;
  const counter = liveCounter(records.counters.get(handle), nowMs, limits.counterTtlMs);
  const memory = liveMemory(records.memories.get({ handle, sender }), counter);
  const decision = decideCommit(asked, { counter, memory, newestList, incarnation, nowMs, limits });
  if (decision.type === 'answer') return decision.result;

  const { sequence } = decision;
  const place = { sequence, ...(decision.predecessor && { predecessor: decision.predecessor }) };
  const seal: Seal = (kind, ciphertext) =>
    encodeEnvelope({
      type: 'sequenced',
      sender,
      handle,
      n,
      attempt,
      ...place,
      serverTimeMs: nowMs,
      visible: asked.visible,
      urgent: asked.urgent,
      ciphertextKind: kind,
      ciphertext,
    });
  const deliveries = deliver(decision.devices, asked.sharedCiphertext, seal);
  for (const { device } of deliveries) ensureMailbox(context, device);
  const accounts = asked.recipients.map(({ account }) => account);
  context.record({
    type: 'committed',
    sender,
    handle,
    n,
    attempt,
    digest,
    ...place,
    change,
    serverTimeMs: nowMs,
    incarnation,
    accounts,
    deliveries,
  });
  return { type: 'accepted', duplicate: false, attempt, ...place, serverTimeMs: nowMs };
}

/** See `MailboxStore.submitDirect`. */
export function submitDirect(context: EngineContext, asked: DirectSubmission): DirectResult {
  const { records, nowMs, limits } = context;
  const { sender, messageId, attempt, visible, urgent } = asked;
  const sets = checkDirectSets(asked.recipients, context.newestList);
  if (sets.type === 'refused') return { type: 'refused', code: 'unknown_recipient' };
  if (sets.type === 'mismatch') return sets;

  const seal: Seal = (kind, ciphertext) =>
    encodeEnvelope({
      type: 'direct',
      sender,
      messageId,
      attempt,
      serverTimeMs: nowMs,
      visible,
      urgent,
      ciphertextKind: kind,
      ciphertext,
    });
  const taken: number[] = [];
  const missing: Addressed[] = [];
  for (const device of sets.devices) {
    ensureMailbox(context, device.key);
    const seenMs = records.seen.get({ device: device.key, sender, messageId });
    if (seenMs !== undefined && !isPast(seenMs, nowMs, limits.directDedupeMs)) taken.push(seenMs);
    else missing.push(device);
  }
  const deliveries = deliver(missing, undefined, seal);
  if (deliveries.length > 0) context.record({ type: 'direct', sender, messageId, serverTimeMs: nowMs, deliveries });
  const duplicate = deliveries.length === 0 && taken.length > 0;
  return { type: 'accepted', duplicate, serverTimeMs: duplicate ? Math.max(...taken) : nowMs };
}

type Seal = (kind: CiphertextKind, ciphertext: Uint8Array) => Uint8Array;

/** A device that is named without any ciphertext gets no envelope. Those who share a ciphertext share an envelope. */
function deliver(devices: readonly Addressed[], shared: Uint8Array | undefined, seal: Seal): Delivery[] {
  const deliveries: Delivery[] = [];
  const sealed: Partial<Record<CiphertextKind, Uint8Array>> = {};
  for (const { key, named } of devices) {
    const { kind, ciphertext } = named;
    if (ciphertext) deliveries.push({ device: key, envelope: seal(kind, ciphertext) });
    else if (shared) deliveries.push({ device: key, envelope: (sealed[kind] ??= seal(kind, shared)) });
  }
  return deliveries;
}
