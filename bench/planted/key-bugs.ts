import type { PlantedBug } from './bugs.ts';

const client = 'client-core/src';
const identity = 'test/scenario/client-identity.test.ts';
const sessions = 'test/unit/client-core/session/sessions.test.ts';

/** Defences of identity keys and prekeys. */
export const keyBugs: readonly PlantedBug[] = [
  {
    name: 'a number stays verified when its key changes',
    file: `${client}/trust.ts`,
    find: 'verified: verifiedKey !== undefined && sameBytes(verifiedKey, now.key),',
    put: 'verified: verifiedKey !== undefined,',
    test: { file: identity, name: 'makes a verified number unverified' },
  },
  {
    name: 'an older safety number is marked as verified',
    file: `${client}/trust.ts`,
    find: 'if (now?.made.digits !== digits)',
    put: 'if (now === undefined || digits.length !== 60)',
    test: { file: identity, name: 'before the identity changed' },
  },
  {
    name: 'a change of a verified key holds nothing',
    file: `${client}/sync/send-hold.ts`,
    find: "if (policy === 'accept-and-warn' && !change.wasVerified) return undefined;",
    put: "if (policy === 'accept-and-warn') return undefined;",
    test: { file: identity, name: 'makes a verified number unverified' },
  },
  {
    name: 'what is not content is encrypted for a key that nobody accepted',
    file: `${client}/sync/framing.ts`,
    find: 'if (list === undefined || this.#contacts.sendHold(account)) return undefined;',
    put: 'if (list === undefined) return undefined;',
    test: { file: identity, name: 'framed before the change' },
  },
  {
    name: 'a session under a key before goes on sending',
    file: `${client}/session/sessions.ts`,
    find: 'return between !== undefined && sameBytes(between.own, own) && sameBytes(between.peer, peer.identityKey);',
    put: 'return between !== undefined && own.length > 0;',
    test: { file: sessions, name: 'identity key' },
  },
  {
    name: 'a session begins under a key before',
    file: `${client}/session/sessions.ts`,
    find: 'readPrekeyMessage(local, view, { address, identityKey }, native(ciphertext))',
    put: 'readPrekeyMessage(local, view, identityKey.length > 0 ? peer : { address, identityKey }, native(ciphertext))',
    test: { file: sessions, name: 'with the former key' },
  },
  {
    name: 'mail under the key before is read for ever',
    file: `${client}/sync/contacts.ts`,
    find: 'this.#context.clock.now() - change.atMs >= limits.formerIdentityMs',
    put: 'this.#context.clock.now() - change.atMs >= limits.formerIdentityMs * 1_000',
    test: { file: identity, name: 'is not read after a day' },
  },
];
