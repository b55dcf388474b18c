import type { OneTimeKeyJson, PrekeysJson, SignedKeyJson } from '@waxwing/protocol';
import type { OneTimeKey, PrekeyUpload, SignedKey } from '@waxwing/storage';
import { parseBase64url } from './base64url.ts';
import { verifyIdentity } from './libsignal/identity-signature.ts';
import { isAgreementKey, isKyberKey } from './libsignal/key-form.ts';
import { refused, type Refusal } from './refusal.ts';

type Verified = { readonly type: 'verified'; readonly keys: PrekeyUpload };

/**
 * Reads an upload and verifies all of it: the form of every key, every signature by the account's identity key, and that
 * no id is named twice in one space. libsignal keeps the last-resort Kyber key among the one-time ones, so they share a
 * space. One fault refuses the whole upload.
 */
export function verifyUpload(json: PrekeysJson, identityKey: Uint8Array): Verified | Refusal {
  const keys: PrekeyUpload = {
    ...(json.signedPrekey && { signedPrekey: readSigned(json.signedPrekey) }),
    ...(json.lastResortKyber && { lastResortKyber: readSigned(json.lastResortKyber) }),
    ...(json.oneTimeKeys && { oneTimeKeys: json.oneTimeKeys.map(readOneTime) }),
    ...(json.oneTimeKyberKeys && { oneTimeKyberKeys: json.oneTimeKyberKeys.map(readSigned) }),
  };
  const { signedPrekey, lastResortKyber, oneTimeKeys = [], oneTimeKyberKeys = [] } = keys;
  const kyberKeys = lastResortKyber ? [lastResortKyber, ...oneTimeKyberKeys] : oneTimeKyberKeys;
  if (hasRepeatedId(oneTimeKeys) || hasRepeatedId(kyberKeys)) return refused('key_conflict');
  if (signedPrekey && !isAgreementKey(signedPrekey.publicKey)) return refused('bad_key', { detail: 'signed prekey' });
  if (!oneTimeKeys.every((key) => isAgreementKey(key.publicKey))) return refused('bad_key', { detail: 'one-time key' });
  if (!kyberKeys.every((key) => isKyberKey(key.publicKey))) return refused('bad_key', { detail: 'Kyber key' });
  const signed = signedPrekey ? [signedPrekey, ...kyberKeys] : kyberKeys;
  const genuine = signed.every((key) => verifyIdentity(identityKey, key.publicKey, key.signature));
  return genuine ? { type: 'verified', keys } : refused('bad_key', { detail: 'signature' });
}

function readOneTime({ id, publicKey }: OneTimeKeyJson): OneTimeKey {
  return { id, publicKey: parseBase64url(publicKey, 'public key') };
}

function readSigned({ id, publicKey, signature }: SignedKeyJson): SignedKey {
  return { ...readOneTime({ id, publicKey }), signature: parseBase64url(signature, 'signature') };
}

function hasRepeatedId(keys: readonly OneTimeKey[]): boolean {
  return new Set(keys.map(({ id }) => id)).size !== keys.length;
}
