import {
  CiphertextMessageType,
  ErrorCode,
  KEMPublicKey,
  LibSignalErrorBase,
  PreKeyBundle,
  PreKeySignalMessage,
  PublicKey,
  SessionRecord,
  SignalMessage,
  processPreKeyBundle,
  signalDecrypt,
  signalDecryptPreKey,
  signalEncrypt,
} from '@signalapp/libsignal-client';
import {
  addressKey,
  isPublicKey,
  sameBytes,
  type CiphertextKind,
  type DeviceAddress,
  type DeviceBundleJson,
} from '@waxwing/protocol';
import type {
  CryptoChange,
  CryptoView,
  DecryptFailure,
  Decrypted,
  Encrypted,
  LocalKeys,
  Peer,
  SessionStarted,
} from './crypto.ts';
import { isReduced, ownIdentity } from './identity.ts';
import { native, nativeAddress, unlessRefused } from './native.ts';
import {
  boundedSessionRecord,
  innerMessage,
  isFirstMessageTooFar,
  rejoined,
  sessionIdentities,
  statesFor,
} from './session-record.ts';
import { StagedCall } from './staged-call.ts';
import {
  StagedIdentities,
  StagedKyberPreKeys,
  StagedPreKeys,
  StagedSessions,
  StagedSignedPreKeys,
} from './staged-stores.ts';

function loadSession(view: CryptoView, peer: DeviceAddress): SessionRecord | undefined {
  const bytes = view.get('session', addressKey(peer));
  return bytes && SessionRecord.deserialize(native(bytes));
}

/**
 * Whether a message can be encrypted now. A session that the peer never answered stops being usable after libsignal's 30
 * days; one between other identity keys than those of now only reads.
 */
export function hasSession(local: LocalKeys, view: CryptoView, peer: Peer, nowMs: number): boolean {
  const record = view.get('session', addressKey(peer.address));
  if (!record || !SessionRecord.deserialize(native(record)).hasCurrentState(new Date(nowMs))) return false;
  const between = sessionIdentities(record);
  const own = ownIdentity(local).publicKey;
  return between !== undefined && sameBytes(between.own, own) && sameBytes(between.peer, peer.identityKey);
}

/** No change where there is no session. */
export function archiveSession(view: CryptoView, peer: DeviceAddress): CryptoChange[] {
  const record = loadSession(view, peer);
  if (!record) return [];
  record.archiveCurrentState();
  return [{ kind: 'session', key: addressKey(peer), bytes: boundedSessionRecord(record.serialize()) }];
}

/** An existing session is archived by it, and still reads. */
export async function startSession(
  local: LocalKeys,
  view: CryptoView,
  peer: Peer,
  bundle: DeviceBundleJson,
  nowMs: number,
): Promise<SessionStarted> {
  if (!isPublicKey(peer.identityKey)) return { type: 'refused', reason: 'untrusted_identity' };
  const prekeys = bundle.device === peer.address.device ? unlessRefused(() => readBundle(bundle, peer)) : undefined;
  if (!prekeys) return { type: 'refused', reason: 'bad_bundle' };
  const call = new StagedCall(view);
  try {
    await processPreKeyBundle(
      prekeys,
      nativeAddress(peer.address),
      nativeAddress(local.address),
      new StagedSessions(call),
      new StagedIdentities(call, local, peer),
      new Date(nowMs),
    );
  } catch (error) {
    call.refusal();
    if (!(error instanceof LibSignalErrorBase)) throw error;
    const untrusted = LibSignalErrorBase.is(error, ErrorCode.UntrustedIdentity);
    return { type: 'refused', reason: untrusted ? 'untrusted_identity' : 'bad_bundle' };
  }
  return { type: 'started', changes: call.changes() };
}

/** Throws as libsignal does, or gives undefined, for a bundle that no device publishes. Signatures are checked by libsignal later. */
function readBundle(bundle: DeviceBundleJson, peer: Peer): PreKeyBundle | undefined {
  const { signedPrekey, kyberKey, oneTimeKey } = bundle;
  const signedKey = bytesOf(signedPrekey.publicKey);
  const oneTime = oneTimeKey && bytesOf(oneTimeKey.publicKey);
  const points = [signedKey, ...(oneTime ? [oneTime] : [])];
  if (!points.every((key) => isPublicKey(key) && isReduced(key))) return undefined;
  const ids = [signedPrekey.id, kyberKey.id, oneTimeKey?.id ?? 0, bundle.registrationId];
  if (!ids.every((id) => id >>> 0 === id)) return undefined;
  return PreKeyBundle.new(
    bundle.registrationId,
    bundle.device,
    oneTimeKey?.id ?? null,
    oneTime ? PublicKey.deserialize(oneTime) : null,
    signedPrekey.id,
    PublicKey.deserialize(signedKey),
    bytesOf(signedPrekey.signature),
    PublicKey.deserialize(native(peer.identityKey)),
    kyberKey.id,
    KEMPublicKey.deserialize(bytesOf(kyberKey.publicKey)),
    bytesOf(kyberKey.signature),
  );
}

function bytesOf(base64url: string): Uint8Array<ArrayBuffer> {
  return native(Buffer.from(base64url, 'base64url'));
}

/** `no_session` too where the session is with another identity key than the peer's: only a new one can be trusted. */
export async function encrypt(
  local: LocalKeys,
  view: CryptoView,
  peer: Peer,
  plaintext: Uint8Array,
  nowMs: number,
): Promise<Encrypted> {
  if (!hasSession(local, view, peer, nowMs)) return { type: 'no_session' };
  const call = new StagedCall(view);
  try {
    const message = await signalEncrypt(
      native(plaintext),
      nativeAddress(peer.address),
      nativeAddress(local.address),
      new StagedSessions(call),
      new StagedIdentities(call, local, peer),
      new Date(nowMs),
    );
    const kind = kinds.get(message.type());
    if (!kind) throw new Error('a session made what is no session message');
    return { type: 'encrypted', kind, ciphertext: message.serialize(), changes: call.changes() };
  } catch (error) {
    call.refusal();
    if (LibSignalErrorBase.is(error, ErrorCode.UntrustedIdentity)) return { type: 'no_session' };
    throw error;
  }
}

const kinds: ReadonlyMap<number, CiphertextKind> = new Map([
  [CiphertextMessageType.Whisper, 'session'],
  [CiphertextMessageType.PreKey, 'prekey'],
]);

export async function decrypt(
  local: LocalKeys,
  view: CryptoView,
  peer: Peer,
  kind: CiphertextKind,
  ciphertext: Uint8Array,
): Promise<Decrypted> {
  if (kind === 'sender_key') return { type: 'failed', reason: 'unsupported_kind' };
  if (kind === 'session') return readSessionMessage(local, view, peer, native(ciphertext));
  // Nothing begins under a former key: others may have it by now.
  const { address, identityKey } = peer;
  return readPrekeyMessage(local, view, { address, identityKey }, native(ciphertext));
}

async function readSessionMessage(
  local: LocalKeys,
  view: CryptoView,
  peer: Peer,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Decrypted> {
  const key = addressKey(peer.address);
  const record = view.get('session', key);
  if (!record) return { type: 'failed', reason: 'no_session' };
  const message = unlessRefused(() => SignalMessage.deserialize(bytes));
  const trying = message && statesFor(record, { bytes, counter: message.counter() });
  if (!trying) return { type: 'failed', reason: 'invalid' };
  const narrowed: CryptoView = {
    get: (kind, name) => (kind === 'session' && name === key ? trying.record : view.get(kind, name)),
  };
  return reading(new StagedCall(narrowed), async (call) => {
    const plaintext = await signalDecrypt(
      message,
      nativeAddress(peer.address),
      nativeAddress(local.address),
      new StagedSessions(call),
      new StagedIdentities(call, local, peer),
    );
    const read = call.get('session', key);
    if (read) call.put('session', key, boundedSessionRecord(rejoined(read, trying.others)));
    return plaintext;
  });
}

/** libsignal tries a first message in its own session alone. */
async function readPrekeyMessage(
  local: LocalKeys,
  view: CryptoView,
  peer: Peer,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Decrypted> {
  const inner = innerMessage(bytes);
  const message = inner && unlessRefused(() => SignalMessage.deserialize(native(inner)));
  if (!message) return { type: 'failed', reason: 'invalid' };
  const record = view.get('session', addressKey(peer.address));
  if (isFirstMessageTooFar(record, { bytes: inner, counter: message.counter() })) {
    return { type: 'failed', reason: 'invalid' };
  }
  return reading(new StagedCall(view), (call) =>
    signalDecryptPreKey(
      PreKeySignalMessage.deserialize(bytes),
      nativeAddress(peer.address),
      nativeAddress(local.address),
      new StagedSessions(call),
      new StagedIdentities(call, local, peer),
      new StagedPreKeys(call),
      new StagedSignedPreKeys(call),
      new StagedKyberPreKeys(call),
    ),
  );
}

async function reading(call: StagedCall, read: (call: StagedCall) => Promise<Uint8Array>): Promise<Decrypted> {
  try {
    const plaintext = await read(call);
    return { type: 'decrypted', plaintext, changes: call.changes() };
  } catch (error) {
    return { type: 'failed', reason: call.refusal() ?? failureOf(error) };
  }
}

function failureOf(error: unknown): DecryptFailure {
  if (!(error instanceof LibSignalErrorBase)) throw error;
  if (LibSignalErrorBase.is(error, ErrorCode.DuplicatedMessage)) return 'duplicate';
  if (LibSignalErrorBase.is(error, ErrorCode.UntrustedIdentity)) return 'untrusted_identity';
  return 'invalid';
}
