import {
  addressKey,
  decodeContent,
  decodeSubmitBody,
  frameHash,
  frameKinds,
  type Accepted,
  type DeviceAddress,
} from '@waxwing/protocol';
import type { NewMessage } from '../history/message-row.ts';
import type { Attempt } from '../history/outbox.ts';
import type { SyncContext } from './context.ts';
import type { Placing } from './placing.ts';

/**
 * What `Accepted` means for an outbox row, within a transaction: the attempt that it names takes its place in the history.
 * A message leaves the outbox; one that a void frame stands for is failed, or gone if it was taken back. An answer for a
 * row that is settled already changes nothing. False, and nothing is settled, for an answer that no honest relay gives:
 * of an attempt that was never made, without a place, or at a place that another frame has, which is an alarm.
 */
export function settle(
  { store, clock, local }: SyncContext,
  party: number,
  placing: Placing,
  id: number,
  accepted: Accepted,
): boolean {
  const row = store.outbox.framedRow(id);
  if (!row) return true;
  const attempt = store.outbox.attempt(id, accepted.attempt);
  if (!attempt || !accepted.sequence) return false;
  const { epoch, n, conversation, messageId } = row;
  const hash = frameHash(attempt.frame);
  const met = { sequence: accepted.sequence, ...(accepted.predecessor && { predecessor: accepted.predecessor }) };
  if (placing.isTaken({ epoch, party, n, met })) {
    placing.alarm({
      ...local.address,
      what: 'two frames under one number',
      at: { epoch, sequence: accepted.sequence },
    });
    return false;
  }
  store.frames.setHash(epoch, party, n, hash);
  const isContent = attempt.kind === frameKinds.content;
  const content = isContent ? decodeContent(row.content) : undefined;
  const message: NewMessage | undefined = content && {
    conversation,
    messageId,
    party,
    own: true,
    epoch,
    sequence: accepted.sequence,
    n,
    kind: attempt.kind,
    text: content.text,
    replyTo: content.replyTo ?? null,
    serverTimeMs: accepted.serverTimeMs,
    sentAtMs: row.sentAtMs,
  };
  placing.place({ epoch, party, n, hash, ciphertextHash: null, met, ...(message && { message }) });
  store.answerable.keep(epoch, party, n, attempt.frame, accepted.serverTimeMs, clock.now());
  const later = row.attempt > accepted.attempt ? store.outbox.attempts(id) : [];
  for (const device of lacking(attempt, later)) store.repairs.owe(epoch, n, device);
  if (isContent || row.cancelling) store.outbox.remove(id);
  else store.outbox.fail(id, row.failure ?? 'cancelled');
  return true;
}

/** The devices that a later attempt was for and the accepted one was not: they are owed the frame. */
function lacking(accepted: Attempt, attempts: readonly Attempt[]): DeviceAddress[] {
  const had = new Set(devicesOf(accepted).map(addressKey));
  const later = attempts.filter(({ attempt }) => attempt > accepted.attempt).flatMap(devicesOf);
  return later.filter((device) => !had.has(addressKey(device)));
}

function devicesOf({ body }: Attempt): DeviceAddress[] {
  return decodeSubmitBody(body).recipients.flatMap(({ account, devices }) =>
    devices.map(({ device }) => ({ account, device })),
  );
}
