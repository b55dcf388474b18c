import {
  addressKey,
  decodeContent,
  decodeEnvelope,
  decodeFrame,
  frameKinds,
  sha256,
  type Envelope,
  type Frame,
  type SequencedEnvelope,
} from '@waxwing/protocol';
import type { HeldReason } from '../history/held.ts';
import type { NewMessage } from '../history/message-row.ts';
import type { DecryptFailure } from '../session/crypto.ts';
import { unlessMalformed } from './unless-malformed.ts';

/** The latest time that a JavaScript Date can be; what relays and senders say may be any number. */
const LATEST_DATE_MS = 8.64e15;

/** An envelope's bytes, decoded; undefined where they are none, which is kept from nothing that follows. */
export function readEnvelope(bytes: Uint8Array): {
  envelope: Envelope | undefined;
  bytes: Uint8Array;
  ciphertextHash: Uint8Array;
} {
  const envelope = unlessMalformed(() => decodeEnvelope(bytes));
  return { envelope, bytes, ciphertextHash: sha256(envelope?.ciphertext ?? bytes) };
}

/** A frame from decrypted bytes, its content checked; undefined where they are none. */
export function readFrame(bytes: Uint8Array): Frame | undefined {
  return unlessMalformed(() => {
    const frame = decodeFrame(bytes);
    if (frame.kind === frameKinds.content) decodeContent(frame.body);
    return frame;
  });
}

/**
 * Why an envelope that could not be read is held; undefined for one that need not be. Another identity key than the
 * list's is one of a newer list, but in an epoch that is here: every key has its own, so that mail is of a key before.
 */
export function holdReason(envelope: Envelope, failure: DecryptFailure, isKnown: boolean): HeldReason | undefined {
  // A direct message has no number: one that was read before, and comes again, leaves nothing to hold.
  if (envelope.type === 'direct' && failure === 'duplicate') return undefined;
  const isOld = envelope.type === 'sequenced' && isKnown;
  return failure === 'untrusted_identity' && !isOld ? 'unlisted device' : 'undecryptable';
}

/** One string per ciphertext and place that its envelope names: device, handle, n. */
export function whatIs({ sender, ...envelope }: Envelope, ciphertextHash: Uint8Array): string {
  const place = envelope.type === 'sequenced' ? `${envelope.handle} ${envelope.n}` : '';
  return `${addressKey(sender)} ${place} ${Buffer.from(ciphertextHash).toString('base64url')}`;
}

/** What of a frame is not what its envelope says, or undefined. */
export function mismatch(
  envelope: Envelope,
  frame: Frame,
  current: string | undefined,
  known: boolean,
): string | undefined {
  const { sender } = envelope;
  if (frame.sender.account !== sender.account || frame.sender.device !== sender.device) return 'sender';
  if (envelope.type === 'direct') {
    if (frame.place) return 'handle';
    return frame.messageId === envelope.messageId ? undefined : 'message id';
  }
  if (frame.place?.handle !== envelope.handle) return 'handle';
  if (frame.place.n !== envelope.n) return 'n';
  return known || envelope.handle === current ? undefined : 'handle of another conversation';
}

/** The message that a person sees of a frame; undefined for a frame without visible effect. */
export function toMessage(
  frame: Frame,
  envelope: Pick<SequencedEnvelope, 'sequence' | 'n' | 'serverTimeMs'>,
  conversation: number,
  epoch: number,
  party: number,
): NewMessage | undefined {
  if (frame.kind === frameKinds.void) return undefined;
  const content = frame.kind === frameKinds.content ? decodeContent(frame.body) : undefined;
  return {
    conversation,
    messageId: frame.messageId,
    party,
    own: false,
    epoch,
    sequence: envelope.sequence,
    n: envelope.n,
    kind: frame.kind,
    text: content?.text ?? null,
    replyTo: content?.replyTo ?? null,
    serverTimeMs: Math.min(envelope.serverTimeMs, LATEST_DATE_MS),
    sentAtMs: Math.min(frame.sentAtMs, LATEST_DATE_MS),
  };
}
