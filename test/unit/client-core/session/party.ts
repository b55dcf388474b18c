import { randomBytes } from 'node:crypto';
import {
  addressKey,
  parseAccountId,
  parseDeviceId,
  type CiphertextKind,
  type DeviceBundleJson,
} from '@waxwing/protocol';
import type {
  CryptoChange,
  CryptoView,
  Decrypted,
  Encrypted,
  LocalKeys,
  Peer,
  SessionStarted,
} from '../../../../client-core/src/session/crypto.ts';
import { createLibsignalCrypto } from '../../../../client-core/src/session/libsignal-crypto.ts';

export const NOW = Date.UTC(2026, 10, 20);
export const crypto = createLibsignalCrypto((length) => randomBytes(length));

type Uploaded = ReturnType<typeof crypto.createRepeatedKeys>['upload'] &
  ReturnType<typeof crypto.createOneTimeKeys>['upload'];
export type Sent = { readonly kind: CiphertextKind; readonly ciphertext: Uint8Array };

/** A device with its entries in a map, its keys published, and the changes of each call applied at once. */
export class Party {
  readonly local: LocalKeys;
  readonly peer: Peer;
  readonly uploaded: Uploaded;
  entries = new Map<string, Uint8Array>();

  constructor(name: string, oneTimeKeys = 10, device = 1, identity = crypto.createIdentity()) {
    const account = parseAccountId(
      `${Buffer.from(name.padEnd(4, '_')).toString('hex').slice(0, 8)}-0000-4000-8000-000000000000`,
    );
    const address = { account, device: parseDeviceId(device) };
    this.local = { address, registrationId: crypto.createRegistrationId(), identityKeyPair: identity.keyPair };
    this.peer = { address, identityKey: identity.publicKey };
    const repeated = crypto.createRepeatedKeys(this.local, 1, NOW);
    const oneTime = crypto.createOneTimeKeys(this.local, 2, oneTimeKeys, NOW);
    this.apply(repeated.changes);
    this.apply(oneTime.changes);
    this.uploaded = { ...repeated.upload, ...oneTime.upload };
  }

  /** The entries as they stand, unmoved by what happens later. */
  get view(): CryptoView {
    const entries = new Map(this.entries);
    return { get: (kind, key) => entries.get(`${kind}/${key}`) };
  }

  /** The bundle with one-time keys number `index`, or without any where there is none. */
  bundle(index = 0): DeviceBundleJson {
    const { signedPrekey, lastResortKyber, oneTimeKeys, oneTimeKyberKeys } = this.uploaded;
    const oneTimeKey = oneTimeKeys[index];
    return {
      device: this.local.address.device,
      registrationId: this.local.registrationId,
      signedPrekey,
      kyberKey: oneTimeKyberKeys[index] ?? lastResortKyber,
      ...(oneTimeKey && { oneTimeKey }),
    };
  }

  keys(kind: string): string[] {
    return [...this.entries.keys()]
      .filter((key) => key.startsWith(`${kind}/`))
      .map((key) => key.slice(kind.length + 1));
  }

  apply(changes: readonly CryptoChange[]): void {
    for (const { kind, key, bytes } of changes) {
      if (bytes) this.entries.set(`${kind}/${key}`, Buffer.from(bytes));
      else this.entries.delete(`${kind}/${key}`);
    }
  }

  async start(other: Party, bundle = other.bundle()): Promise<SessionStarted> {
    const started = await crypto.startSession(this.local, this.view, other.peer, bundle, NOW);
    if (started.type === 'started') this.apply(started.changes);
    return started;
  }

  async encrypt(peer: Peer, text: string, nowMs = NOW): Promise<Encrypted> {
    const encrypted = await crypto.encrypt(this.local, this.view, peer, Buffer.from(text), nowMs);
    if (encrypted.type === 'encrypted') this.apply(encrypted.changes);
    return encrypted;
  }

  /** Encrypts where a session is known to stand. */
  async send(other: Party, text: string): Promise<Sent> {
    const encrypted = await this.encrypt(other.peer, text);
    if (encrypted.type !== 'encrypted') throw new Error(encrypted.type);
    return encrypted;
  }

  async decrypt(peer: Peer, { kind, ciphertext }: Sent): Promise<Decrypted> {
    const decrypted = await crypto.decrypt(this.local, this.view, peer, kind, ciphertext);
    if (decrypted.type === 'decrypted') this.apply(decrypted.changes);
    return decrypted;
  }

  /** The text, or the reason in brackets. */
  async read(other: Party, sent: Sent): Promise<string> {
    const decrypted = await this.decrypt(other.peer, sent);
    return decrypted.type === 'decrypted' ? Buffer.from(decrypted.plaintext).toString() : `[${decrypted.reason}]`;
  }

  forget(other: Party): void {
    this.entries.delete(`session/${addressKey(other.local.address)}`);
  }
}

/** Two devices that have spoken once each way. */
export async function acquainted(): Promise<readonly [Party, Party]> {
  const alice = new Party('alice');
  const bob = new Party('bob');
  await alice.start(bob);
  await bob.read(alice, await alice.send(bob, 'first'));
  await alice.read(bob, await bob.send(alice, 'second'));
  return [alice, bob];
}
