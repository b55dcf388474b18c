import {
  Direction,
  IdentityChange,
  IdentityKeyStore,
  KyberPreKeyStore,
  PreKeyRecord,
  PreKeyStore,
  PublicKey,
  SessionRecord,
  SessionStore,
  SignedPreKeyRecord,
  SignedPreKeyStore,
  type KyberPreKeyRecord,
  type PrivateKey,
  type ProtocolAddress,
} from '@signalapp/libsignal-client';
import { addressKey, sameBytes, sha256 } from '@waxwing/protocol';
import type { LocalKeys, Peer } from './crypto.ts';
import { ownIdentity } from './identity.ts';
import { native } from './native.ts';
import { boundedSessionRecord } from './session-record.ts';
import type { StagedCall } from './staged-call.ts';
import { readKyberEntry, writeKyberEntry } from './kyber-entry.ts';

// libsignal's stores over one call's overlay. The peer is fixed for the call, so that no callback can be asked about
// another device, and its identity key is the only one that is trusted: never the first one seen.

/** Whether libsignal's address is this peer's. */
function isPeer(name: ProtocolAddress, peer: Peer): boolean {
  return `${name.name()}.${name.deviceId()}` === addressKey(peer.address);
}

export class StagedSessions extends SessionStore {
  readonly #call: StagedCall;

  constructor(call: StagedCall) {
    super();
    this.#call = call;
  }

  override saveSession(name: ProtocolAddress, record: SessionRecord): Promise<void> {
    return this.#call.run(() => this.#call.put('session', sessionKey(name), boundedSessionRecord(record.serialize())));
  }

  override getSession(name: ProtocolAddress): Promise<SessionRecord | null> {
    return this.#call.run(() => this.#load(name));
  }

  override getExistingSessions(addresses: ProtocolAddress[]): Promise<SessionRecord[]> {
    return this.#call.run(() => addresses.map((name) => this.#load(name) ?? this.#call.refuse('no_session')));
  }

  #load(name: ProtocolAddress): SessionRecord | null {
    const bytes = this.#call.get('session', sessionKey(name));
    return bytes ? SessionRecord.deserialize(native(bytes)) : null;
  }
}

/** The key of an entry of kind `session`: `addressKey` of the device. */
function sessionKey(name: ProtocolAddress): string {
  return `${name.name()}.${name.deviceId()}`;
}

export class StagedIdentities extends IdentityKeyStore {
  readonly #call: StagedCall;
  readonly #local: LocalKeys;
  readonly #peer: Peer;

  constructor(call: StagedCall, local: LocalKeys, peer: Peer) {
    super();
    this.#call = call;
    this.#local = local;
    this.#peer = peer;
  }

  override getIdentityKey(): Promise<PrivateKey> {
    return this.#call.run(() => ownIdentity(this.#local).privateKey);
  }

  override getLocalRegistrationId(): Promise<number> {
    return this.#call.run(() => this.#local.registrationId);
  }

  /** Nothing to save: identities come from verified device lists only. */
  override saveIdentity(): Promise<IdentityChange> {
    return this.#call.run(() => IdentityChange.NewOrUnchanged);
  }

  override isTrustedIdentity(name: ProtocolAddress, key: PublicKey, direction: Direction): Promise<boolean> {
    return this.#call.run(() => {
      if (!isPeer(name, this.#peer)) return false;
      const { identityKey, formerKey } = this.#peer;
      const isFormer = direction === Direction.Receiving && formerKey && sameBytes(key.serialize(), formerKey);
      return sameBytes(key.serialize(), identityKey) || isFormer === true;
    });
  }

  override getIdentity(name: ProtocolAddress): Promise<PublicKey | null> {
    return this.#call.run(() =>
      isPeer(name, this.#peer) ? PublicKey.deserialize(native(this.#peer.identityKey)) : null,
    );
  }
}

export class StagedPreKeys extends PreKeyStore {
  readonly #call: StagedCall;

  constructor(call: StagedCall) {
    super();
    this.#call = call;
  }

  override savePreKey(id: number, record: PreKeyRecord): Promise<void> {
    return this.#call.run(() => this.#call.put('prekey', String(id), record.serialize()));
  }

  override getPreKey(id: number): Promise<PreKeyRecord> {
    return this.#call.run(() => {
      const bytes = this.#call.get('prekey', String(id)) ?? this.#call.refuse('no_prekey');
      return PreKeyRecord.deserialize(native(bytes));
    });
  }

  override removePreKey(id: number): Promise<void> {
    return this.#call.run(() => this.#call.remove('prekey', String(id)));
  }
}

export class StagedSignedPreKeys extends SignedPreKeyStore {
  readonly #call: StagedCall;

  constructor(call: StagedCall) {
    super();
    this.#call = call;
  }

  override saveSignedPreKey(id: number, record: SignedPreKeyRecord): Promise<void> {
    return this.#call.run(() => this.#call.put('signed_prekey', String(id), record.serialize()));
  }

  override getSignedPreKey(id: number): Promise<SignedPreKeyRecord> {
    return this.#call.run(() => {
      const bytes = this.#call.get('signed_prekey', String(id)) ?? this.#call.refuse('no_prekey');
      return SignedPreKeyRecord.deserialize(native(bytes));
    });
  }
}

export class StagedKyberPreKeys extends KyberPreKeyStore {
  readonly #call: StagedCall;

  constructor(call: StagedCall) {
    super();
    this.#call = call;
  }

  override saveKyberPreKey(id: number, record: KyberPreKeyRecord): Promise<void> {
    return this.#call.run(() =>
      this.#call.put('kyber_prekey', String(id), writeKyberEntry({ use: 'one_time', record })),
    );
  }

  override getKyberPreKey(id: number): Promise<KyberPreKeyRecord> {
    return this.#call.run(() => this.#load(id).record);
  }

  /**
   * Called once by the message that sets a session up. A one-time key goes; under the last-resort key the base key is
   * remembered, and refused when it comes again: it can only be a copy of a message that was read.
   */
  override markKyberPreKeyUsed(id: number, signedPreKeyId: number, baseKey: PublicKey): Promise<void> {
    return this.#call.run(() => {
      if (this.#load(id).use === 'one_time') {
        this.#call.remove('kyber_prekey', String(id));
        return;
      }
      const key = `${id}.${signedPreKeyId}.${Buffer.from(sha256(baseKey.serialize())).toString('hex')}`;
      if (this.#call.get('used_base_key', key)) this.#call.refuse('replayed_prekey');
      this.#call.put('used_base_key', key, Uint8Array.of(1));
    });
  }

  #load(id: number) {
    return readKyberEntry(this.#call.get('kyber_prekey', String(id)) ?? this.#call.refuse('no_prekey'));
  }
}
