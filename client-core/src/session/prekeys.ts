import {
  IdentityKeyPair,
  KEMKeyPair,
  KyberPreKeyRecord,
  PreKeyRecord,
  PrivateKey,
  SignedPreKeyRecord,
} from '@signalapp/libsignal-client';
import type { OneTimeKeyJson, PrekeysJson, SignedKeyJson } from '@waxwing/protocol';
import type { CryptoChange, LocalKeys } from './crypto.ts';
import { writeKyberEntry, type KyberEntry } from './kyber-entry.ts';
import { native } from './native.ts';

type Made<Name extends keyof PrekeysJson> = { changes: CryptoChange[]; upload: Required<Pick<PrekeysJson, Name>> };

/** `count` elliptic and `count` Kyber keys, both under `firstId`, `firstId` + 1, …. Kyber ids share one space with the last-resort keys'. */
export function createOneTimeKeys(
  local: LocalKeys,
  firstId: number,
  count: number,
  nowMs: number,
): Made<'oneTimeKeys' | 'oneTimeKyberKeys'> {
  const changes: CryptoChange[] = [];
  const oneTimeKeys: OneTimeKeyJson[] = [];
  const oneTimeKyberKeys: SignedKeyJson[] = [];
  const identity = identityKey(local);
  for (let id = firstId; id < firstId + count; id++) {
    const secret = PrivateKey.generate();
    const record = PreKeyRecord.new(id, secret.getPublicKey(), secret);
    changes.push({ kind: 'prekey', key: String(id), bytes: record.serialize() });
    oneTimeKeys.push({ id, publicKey: base64url(record.publicKey().serialize()) });
    oneTimeKyberKeys.push(addKyberKey(changes, identity, id, 'one_time', nowMs));
  }
  return { changes, upload: { oneTimeKeys, oneTimeKyberKeys } };
}

/** The keys that a bundle always has, both under `id`. */
export function createRepeatedKeys(
  local: LocalKeys,
  id: number,
  nowMs: number,
): Made<'signedPrekey' | 'lastResortKyber'> {
  const changes: CryptoChange[] = [];
  const identity = identityKey(local);
  const secret = PrivateKey.generate();
  const publicKey = secret.getPublicKey();
  const signature = identity.sign(publicKey.serialize());
  const record = SignedPreKeyRecord.new(id, nowMs, publicKey, secret, signature);
  changes.push({ kind: 'signed_prekey', key: String(id), bytes: record.serialize() });
  const signedPrekey = { id, publicKey: base64url(publicKey.serialize()), signature: base64url(signature) };
  const lastResortKyber = addKyberKey(changes, identity, id, 'last_resort', nowMs);
  return { changes, upload: { signedPrekey, lastResortKyber } };
}

function identityKey(local: LocalKeys): PrivateKey {
  return IdentityKeyPair.deserialize(native(local.identityKeyPair)).privateKey;
}

function addKyberKey(
  changes: CryptoChange[],
  identity: PrivateKey,
  id: number,
  use: KyberEntry['use'],
  nowMs: number,
): SignedKeyJson {
  const pair = KEMKeyPair.generate();
  const publicKey = pair.getPublicKey().serialize();
  const signature = identity.sign(publicKey);
  const record = KyberPreKeyRecord.new(id, nowMs, pair, signature);
  changes.push({ kind: 'kyber_prekey', key: String(id), bytes: writeKyberEntry({ use, record }) });
  return { id, publicKey: base64url(publicKey), signature: base64url(signature) };
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}
