import {
  IdentityChange,
  IdentityKeyPair,
  IdentityKeyStore,
  KEMKeyPair,
  KyberPreKeyRecord,
  KyberPreKeyStore,
  PreKeyBundle,
  PreKeyRecord,
  PreKeySignalMessage,
  PreKeyStore,
  PrivateKey,
  ProtocolAddress,
  PublicKey,
  SessionRecord,
  SessionStore,
  SignalMessage,
  SignedPreKeyRecord,
  SignedPreKeyStore,
  processPreKeyBundle,
  signalDecrypt,
  signalDecryptPreKey,
  signalEncrypt,
  type CiphertextMessage,
} from '@signalapp/libsignal-client';

/** Sessions as serialised records in memory: what any store must do, and nothing more. */
class Sessions extends SessionStore {
  readonly #records = new Map<string, Uint8Array<ArrayBuffer>>();

  override saveSession(name: ProtocolAddress, record: SessionRecord): Promise<void> {
    this.#records.set(name.toString(), record.serialize());
    return Promise.resolve();
  }

  override getSession(name: ProtocolAddress): Promise<SessionRecord | null> {
    const record = this.#records.get(name.toString());
    return Promise.resolve(record ? SessionRecord.deserialize(record) : null);
  }

  override async getExistingSessions(names: ProtocolAddress[]): Promise<SessionRecord[]> {
    const records = await Promise.all(names.map((name) => this.getSession(name)));
    return records.filter((record) => record !== null);
  }
}

class Identities extends IdentityKeyStore {
  readonly pair = IdentityKeyPair.generate();

  override getIdentityKey(): Promise<PrivateKey> {
    return Promise.resolve(this.pair.privateKey);
  }

  override getLocalRegistrationId(): Promise<number> {
    return Promise.resolve(1);
  }

  override saveIdentity(): Promise<IdentityChange> {
    return Promise.resolve(IdentityChange.NewOrUnchanged);
  }

  override isTrustedIdentity(): Promise<boolean> {
    return Promise.resolve(true);
  }

  override getIdentity(): Promise<PublicKey | null> {
    return Promise.resolve(null);
  }
}

class PreKeys extends PreKeyStore {
  readonly record = PreKeyRecord.new(1, PrivateKey.generate().getPublicKey(), PrivateKey.generate());

  override savePreKey(): Promise<void> {
    return Promise.resolve();
  }

  override getPreKey(): Promise<PreKeyRecord> {
    return Promise.resolve(this.record);
  }

  override removePreKey(): Promise<void> {
    return Promise.resolve();
  }
}

class SignedPreKeys extends SignedPreKeyStore {
  readonly record: SignedPreKeyRecord;

  constructor(identity: IdentityKeyPair) {
    super();
    const key = PrivateKey.generate();
    const signature = identity.privateKey.sign(key.getPublicKey().serialize());
    this.record = SignedPreKeyRecord.new(1, 0, key.getPublicKey(), key, signature);
  }

  override saveSignedPreKey(): Promise<void> {
    return Promise.resolve();
  }

  override getSignedPreKey(): Promise<SignedPreKeyRecord> {
    return Promise.resolve(this.record);
  }
}

class KyberPreKeys extends KyberPreKeyStore {
  readonly record: KyberPreKeyRecord;

  constructor(identity: IdentityKeyPair) {
    super();
    const pair = KEMKeyPair.generate();
    this.record = KyberPreKeyRecord.new(1, 0, pair, identity.privateKey.sign(pair.getPublicKey().serialize()));
  }

  override saveKyberPreKey(): Promise<void> {
    return Promise.resolve();
  }

  override getKyberPreKey(): Promise<KyberPreKeyRecord> {
    return Promise.resolve(this.record);
  }

  override markKyberPreKeyUsed(): Promise<void> {
    return Promise.resolve();
  }
}

/** One side of libsignal's sessions, with nothing of ours. */
export class BarePerson {
  readonly address: ProtocolAddress;
  readonly #sessions = new Sessions();
  readonly #identities = new Identities();
  readonly #preKeys = new PreKeys();
  readonly #signed = new SignedPreKeys(this.#identities.pair);
  readonly #kyber = new KyberPreKeys(this.#identities.pair);

  constructor(name: string) {
    this.address = ProtocolAddress.new(name, 1);
  }

  /** Sessions with each other, in use: both sides have been heard. */
  async meet(other: BarePerson): Promise<void> {
    await processPreKeyBundle(other.#bundle(), other.address, this.address, this.#sessions, this.#identities);
    const hello = Uint8Array.of(1);
    await other.decrypt(this, (await this.encrypt(other, hello)).serialize(), 'first');
    await this.decrypt(other, (await other.encrypt(this, hello)).serialize());
    await other.decrypt(this, (await this.encrypt(other, hello)).serialize());
  }

  /** So many others, each with a session in use. */
  async meetMany(count: number): Promise<BarePerson[]> {
    const others: BarePerson[] = [];
    for (let index = 0; index < count; index += 1) {
      const other = new BarePerson(`peer ${index}`);
      await other.meet(this);
      others.push(other);
    }
    return others;
  }

  encrypt(to: BarePerson, plaintext: Uint8Array<ArrayBuffer>): Promise<CiphertextMessage> {
    return signalEncrypt(plaintext, to.address, this.address, this.#sessions, this.#identities);
  }

  decrypt(from: BarePerson, bytes: Uint8Array<ArrayBuffer>, kind?: 'first'): Promise<Uint8Array> {
    if (kind === undefined) {
      const message = SignalMessage.deserialize(bytes);
      return signalDecrypt(message, from.address, this.address, this.#sessions, this.#identities);
    }
    return signalDecryptPreKey(
      PreKeySignalMessage.deserialize(bytes),
      from.address,
      this.address,
      this.#sessions,
      this.#identities,
      this.#preKeys,
      this.#signed,
      this.#kyber,
    );
  }

  #bundle(): PreKeyBundle {
    const { record: signed } = this.#signed;
    const { record: kyber } = this.#kyber;
    return PreKeyBundle.new(
      1,
      1,
      null,
      null,
      signed.id(),
      signed.publicKey(),
      signed.signature(),
      this.#identities.pair.publicKey,
      kyber.id(),
      kyber.publicKey(),
      kyber.signature(),
    );
  }
}
