import { hkdf } from '@signalapp/libsignal-client';
import type { RandomBytes } from '@waxwing/protocol';
import nacl from 'tweetnacl';
import type { Crypto } from './crypto.ts';
import { fingerprint, isOtherSide } from './fingerprint.ts';
import { agree, createIdentity, signIdentity, verifyIdentity } from './identity.ts';
import { native } from './native.ts';
import { createOneTimeKeys, createRepeatedKeys } from './prekeys.ts';
import { archiveSession, decrypt, encrypt, hasSession, startSession } from './sessions.ts';
import { usernameProof } from './username.ts';

const REGISTRATION_IDS = 0x3fff;

/**
 * The crypto port over libsignal (sessions, identity keys, usernames) and Ed25519 in plain JavaScript (tokens). `random`
 * draws registration ids, auth keys and username proofs; libsignal draws its own keys and ratchet steps from the system.
 */
export function createLibsignalCrypto(random: RandomBytes): Crypto {
  return {
    createIdentity,
    createRegistrationId() {
      for (;;) {
        const [high = 0, low = 0] = random(2);
        const id = ((high << 8) | low) & REGISTRATION_IDS;
        if (id > 0) return id;
      }
    },
    createAuthKeys() {
      const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(Uint8Array.from(random(nacl.sign.seedLength)));
      return { publicKey, secretKey };
    },
    signToken: (secretKey, message) => nacl.sign.detached(message, secretKey),
    signIdentity,
    verifyIdentity,
    agree,
    derive: (secret, info, length) => hkdf(length, native(secret), native(info), null),
    fingerprint,
    isOtherSide,
    createOneTimeKeys,
    createRepeatedKeys,
    hasSession,
    startSession,
    archiveSession,
    encrypt,
    decrypt,
    usernameProof: (username) => usernameProof(username, random),
  };
}
