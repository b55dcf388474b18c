import { createHmac, createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto';
import { IdentityKeyPair, KEMKeyPair, PrivateKey } from '@signalapp/libsignal-client';
import { addressKey, decodeSubmitBody, isPublicKey, type DeviceAddress, type RandomBytes } from '@waxwing/protocol';
import type { Crypto } from '@waxwing/client-core';
import { createLibsignalCrypto } from '../../client-core/src/session/libsignal-crypto.ts';
import { agree } from '../../client-core/src/session/identity.ts';
import { add, contains, highest, type Ranges } from '../../client-core/src/sync/ranges.ts';
import type { CryptoChange, CryptoView, LocalKeys, Peer } from '../../client-core/src/session/crypto.ts';

/** Skipped keys that a session remembers, as libsignal's. */
const SKIPPED = 2_000;
const ARCHIVED = 40;
/** Fewer than a device makes, for time; enough that they are not low at once. */
const ONE_TIME_KEYS = 24;

/** One direction-free session: who started it is told by `pending`, what was read by `read`. */
type Session = {
  readonly id: string;
  /** The identity keys that it is between. */
  readonly between: string;
  next: number;
  read: Ranges;
  /** The prekeys that its first messages name, until the peer has answered. */
  pending?: { readonly oneTime?: number; readonly kyber: number; readonly base: string };
};
type Sessions = { current: Session | undefined; archived: Session[] };

type Message = {
  readonly session: string;
  readonly side: string;
  readonly counter: number;
  readonly pending?: NonNullable<Session['pending']>;
  readonly identity: string;
  readonly plaintext: string;
};

/** What no honest device ever does: one message key for two plaintexts that leave it. */
export type KeyOracle = { readonly reused: string[]; left(body: Uint8Array): void };

/** Shared by all devices of a world: sees every ciphertext that leaves one. Of the real crypto's it learns nothing. */
export function createKeyOracle(): KeyOracle {
  const used = new Map<string, string>();
  const reused: string[] = [];
  return {
    reused,
    left(body) {
      for (const { devices } of decodeSubmitBody(body).recipients) {
        for (const { ciphertext } of devices) {
          const message = ciphertext && peek(ciphertext);
          if (!message) continue;
          const key = `${message.session}/${message.side}/${message.counter}`;
          const before = used.get(key);
          if (before !== undefined && before !== message.plaintext) reused.push(key);
          used.set(key, message.plaintext);
        }
      }
    },
  };
}

/** A test ciphertext without its MAC; undefined for another. */
function peek(ciphertext: Uint8Array): Message | undefined {
  try {
    return JSON.parse(Buffer.from(ciphertext.subarray(16)).toString()) as Message;
  } catch {
    return undefined;
  }
}

const kyberKey = KEMKeyPair.generate().getPublicKey().serialize();
const kyberSecret = Uint8Array.of(1);

/**
 * A crypto of the same contract as the real one with the same failures, and without its cost: identities and signatures are
 * real, from seeded keys; a ciphertext is its plaintext with a counter under a MAC that only the two devices can make.
 */
export function createTestCrypto(random: RandomBytes): Crypto {
  const real = createLibsignalCrypto(random);
  const secrets = new Map<string, Uint8Array>();

  function macKey(keyPair: Uint8Array, identityKey: Uint8Array): Uint8Array {
    const name = `${hex(keyPair.subarray(0, 40))}/${hex(identityKey)}`;
    const known = secrets.get(name) ?? agree(keyPair, identityKey) ?? new Uint8Array(32);
    secrets.set(name, known);
    return known;
  }

  function load(view: CryptoView, peer: DeviceAddress): Sessions | undefined {
    const bytes = view.get('session', addressKey(peer));
    return bytes && (JSON.parse(Buffer.from(bytes).toString()) as Sessions);
  }

  function save(peer: DeviceAddress, sessions: Sessions): CryptoChange {
    return { kind: 'session', key: addressKey(peer), bytes: Buffer.from(JSON.stringify(sessions)) };
  }

  return {
    ...real,
    createAuthKeys: () => quickAuthKeys(random(32)),
    signToken: quickSignToken(),
    createIdentity: () => seededIdentity(random),
    createOneTimeKeys(local, firstId, count) {
      const identity = IdentityKeyPair.deserialize(Uint8Array.from(local.identityKeyPair)).privateKey;
      const ids = Array.from({ length: Math.min(count, ONE_TIME_KEYS) }, (_, index) => firstId + index);
      const signature = base64url(identity.sign(kyberKey));
      return {
        changes: ids.flatMap((id) => [
          { kind: 'prekey' as const, key: String(id), bytes: Uint8Array.of(1) },
          { kind: 'kyber_prekey' as const, key: String(id), bytes: Uint8Array.of(0) },
        ]),
        upload: {
          oneTimeKeys: ids.map((id) => ({ id, publicKey: base64url(publicKeyOf(random)) })),
          oneTimeKyberKeys: ids.map((id) => ({ id, publicKey: base64url(kyberKey), signature })),
        },
      };
    },
    createRepeatedKeys(local, id) {
      const identity = IdentityKeyPair.deserialize(Uint8Array.from(local.identityKeyPair)).privateKey;
      const publicKey = publicKeyOf(random);
      return {
        changes: [
          { kind: 'signed_prekey', key: String(id), bytes: Uint8Array.of(1) },
          { kind: 'kyber_prekey', key: String(id), bytes: kyberSecret },
        ],
        upload: {
          signedPrekey: { id, publicKey: base64url(publicKey), signature: base64url(identity.sign(publicKey)) },
          lastResortKyber: { id, publicKey: base64url(kyberKey), signature: base64url(identity.sign(kyberKey)) },
        },
      };
    },
    hasSession: (local, view, peer) => load(view, peer.address)?.current?.between === between(local, peer),
    startSession(local, view, peer, bundle) {
      if (bundle.device !== peer.address.device) return Promise.resolve({ type: 'refused', reason: 'bad_bundle' });
      const before = load(view, peer.address);
      const base = hex(random(16));
      const oneTime = bundle.oneTimeKey?.id;
      const pending = { kyber: bundle.kyberKey.id, base, ...(oneTime !== undefined && { oneTime }) };
      const current: Session = { id: base, between: between(local, peer), next: 1, read: [], pending };
      const changes = [save(peer.address, { current, archived: archive(before) })];
      return Promise.resolve({ type: 'started', changes });
    },
    archiveSession(view, peer) {
      const before = load(view, peer);
      return before ? [save(peer, { current: undefined, archived: archive(before) })] : [];
    },
    encrypt(local, view, peer, plaintext) {
      const sessions = load(view, peer.address);
      const current = sessions?.current;
      if (!sessions || current?.between !== between(local, peer)) return Promise.resolve({ type: 'no_session' });
      const side = addressKey(local.address);
      const text = hex(plaintext);
      const counter = current.next;
      const message: Message = {
        session: current.id,
        side,
        counter,
        identity: hex(IdentityKeyPair.deserialize(Uint8Array.from(local.identityKeyPair)).publicKey.serialize()),
        plaintext: text,
        ...(current.pending && { pending: current.pending }),
      };
      current.next += 1;
      return Promise.resolve({
        type: 'encrypted',
        kind: current.pending ? 'prekey' : 'session',
        ciphertext: seal(message, macKey(local.identityKeyPair, peer.identityKey)),
        changes: [save(peer.address, sessions)],
      });
    },
    decrypt(local, view, peer, kind, ciphertext) {
      const failed = (
        reason: 'invalid' | 'no_session' | 'no_prekey' | 'duplicate' | 'replayed_prekey' | 'unsupported_kind',
      ) => Promise.resolve({ type: 'failed' as const, reason });
      if (kind === 'sender_key') return failed('unsupported_kind');
      const sessions = load(view, peer.address) ?? { current: undefined, archived: [] };
      if (kind === 'session' && !sessions.current && sessions.archived.length === 0) return failed('no_session');
      const former = kind === 'session' ? peer.formerKey : undefined;
      const message = [peer.identityKey, ...(former ? [former] : [])]
        .map((identityKey) => open(ciphertext, macKey(local.identityKeyPair, identityKey)))
        .find((one) => one !== undefined);
      if (!message || message.side === addressKey(local.address)) return failed('invalid');
      if (message.identity !== hex(peer.identityKey) && !(former && message.identity === hex(former))) {
        return Promise.resolve({ type: 'failed' as const, reason: 'untrusted_identity' as const });
      }
      const changes: CryptoChange[] = [];
      let session = [sessions.current, ...sessions.archived].find((one) => one?.id === message.session);
      if (!session) {
        const { pending } = message;
        if (kind !== 'prekey' || !pending) return failed('invalid');
        const last = view.get('kyber_prekey', String(pending.kyber));
        if (!last || (pending.oneTime !== undefined && !view.get('prekey', String(pending.oneTime)))) {
          return failed('no_prekey');
        }
        if (pending.oneTime !== undefined) changes.push({ kind: 'prekey', key: String(pending.oneTime) });
        if (last[0] === 0) changes.push({ kind: 'kyber_prekey', key: String(pending.kyber) });
        else if (view.get('used_base_key', `${pending.kyber}.${pending.base}`)) return failed('replayed_prekey');
        else changes.push({ kind: 'used_base_key', key: `${pending.kyber}.${pending.base}`, bytes: Uint8Array.of(1) });
        session = { id: message.session, between: between(local, peer), next: 1, read: [] };
      }
      const { counter } = message;
      if (contains(session.read, counter) || counter < highest(session.read) - SKIPPED) return failed('duplicate');
      session.read = add(session.read, { from: counter, to: counter });
      delete session.pending;
      const others = [sessions.current, ...sessions.archived].filter((one) => one && one.id !== session.id);
      const archived = others.filter((one) => one !== undefined).slice(0, ARCHIVED);
      changes.push(save(peer.address, { current: session, archived }));
      return Promise.resolve({
        type: 'decrypted' as const,
        plaintext: Uint8Array.from(Buffer.from(message.plaintext, 'hex')),
        changes,
      });
    },
  };
}

/** An identity that the seed alone decides, in the form that device lists take. */
function seededIdentity(random: RandomBytes): ReturnType<Crypto['createIdentity']> {
  for (;;) {
    const privateKey = PrivateKey.deserialize(Uint8Array.from(random(32)));
    const pair = new IdentityKeyPair(privateKey.getPublicKey(), privateKey);
    const publicKey = pair.publicKey.serialize();
    if (isPublicKey(publicKey)) return { keyPair: pair.serialize(), publicKey };
  }
}

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

function quickKey(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' });
}

/** The keys that the real crypto makes of these random bytes. */
function quickAuthKeys(seed: Uint8Array): ReturnType<Crypto['createAuthKeys']> {
  const spki = createPublicKey(quickKey(seed)).export({ format: 'der', type: 'spki' });
  const publicKey = Uint8Array.from(spki.subarray(-32));
  return { publicKey, secretKey: Uint8Array.from([...seed, ...publicKey]) };
}

/** Tokens as the real crypto signs them, bit for bit, by the quicker Ed25519 of this runtime. */
function quickSignToken(): Crypto['signToken'] {
  const keys = new Map<string, KeyObject>();
  return (secretKey, message) => {
    const seed = Buffer.from(secretKey.subarray(0, 32));
    const name = seed.toString('hex');
    const key = keys.get(name) ?? quickKey(seed);
    keys.set(name, key);
    return sign(null, message, key);
  };
}

/** The identity keys of both sides as they are now. */
function between(local: LocalKeys, peer: Peer): string {
  const own = IdentityKeyPair.deserialize(Uint8Array.from(local.identityKeyPair)).publicKey.serialize();
  return `${hex(own)}/${hex(peer.identityKey)}`;
}

function archive(before: Sessions | undefined): Session[] {
  if (!before) return [];
  return [...(before.current ? [before.current] : []), ...before.archived].slice(0, ARCHIVED);
}

function publicKeyOf(random: RandomBytes): Uint8Array<ArrayBuffer> {
  for (;;) {
    const key = PrivateKey.deserialize(Uint8Array.from(random(32)))
      .getPublicKey()
      .serialize();
    if (isPublicKey(key)) return key;
  }
}

function seal(message: Message, key: Uint8Array): Uint8Array {
  const body = Buffer.from(JSON.stringify(message));
  return Buffer.concat([createHmac('sha256', key).update(body).digest().subarray(0, 16), body]);
}

function open(ciphertext: Uint8Array, key: Uint8Array): Message | undefined {
  const body = ciphertext.subarray(16);
  const mac = createHmac('sha256', key).update(body).digest().subarray(0, 16);
  if (!mac.equals(ciphertext.subarray(0, 16))) return undefined;
  return JSON.parse(Buffer.from(body).toString()) as Message;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

/** libsignal with what a trace shows drawn from the seed: who is who, and under which handle they talk. */
export function withFewKeys(crypto: Crypto, random: RandomBytes): Crypto {
  return {
    ...crypto,
    createIdentity: () => seededIdentity(random),
    createAuthKeys: () => quickAuthKeys(random(32)),
    signToken: quickSignToken(),
    createOneTimeKeys: (local, firstId, count, nowMs) =>
      crypto.createOneTimeKeys(local, firstId, Math.min(count, 24), nowMs),
  };
}
