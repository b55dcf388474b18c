import type { PlantedBug } from './bugs.ts';

const client = 'client-core/src';
const identity = 'test/scenario/client-identity.test.ts';
const keeper = 'test/unit/client-core/sync/prekey-keeper.test.ts';
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
  {
    name: 'prekeys that were replaced are deleted at once',
    file: `${client}/sync/prekey-keeper.ts`,
    find: 'store.prekeys.forgettable(nowMs, limits.repeatedKeysKeptMs);',
    put: 'store.prekeys.forgettable(nowMs, 0 * limits.repeatedKeysKeptMs);\n    store.transaction(() => store.prekeys.forget(nowMs, 0));',
    test: { file: keeper, name: '' },
  },
  {
    name: 'prekeys that were replaced are never deleted',
    file: `${client}/sync/prekey-keeper.ts`,
    find: 'if (pairs.length === 0 && !isAhead) return;',
    put: 'if (pairs.length >= 0 || isAhead) return;',
    test: { file: keeper, name: '' },
  },
  {
    name: 'prekeys are replaced at every connection',
    file: `${client}/sync/prekey-keeper.ts`,
    find: '>= limits.repeatedKeysMs;',
    put: '>= 0 * limits.repeatedKeysMs;',
    test: { file: keeper, name: '' },
  },
  {
    name: 'prekeys are never replaced',
    file: `${client}/sync/prekey-keeper.ts`,
    find: '>= limits.repeatedKeysMs;',
    put: '>= 1_000 * limits.repeatedKeysMs;',
    test: { file: keeper, name: '' },
  },
  {
    name: 'an upload without an answer is forgotten with the process',
    file: `${client}/sync/prekey-keeper.ts`,
    find: 'const { repeated, unheard } = this.#kept();',
    put: 'const { repeated, unheard } = Math.abs(0) > 0 ? this.#kept() : ({} as Kept);',
    test: { file: keeper, name: 'a crash ended' },
  },
  {
    name: 'one-time keys without an answer are sent again',
    file: `${client}/sync/prekey-keeper.ts`,
    find: '...(repeated && { repeated: repeated.upload })',
    put: 'repeated: { ...repeated?.upload, ...oneTime?.upload }',
    test: { file: keeper, name: 'never leave again' },
  },
  {
    name: 'each connection makes one-time keys where uploads go unanswered',
    file: `${client}/sync/prekey-keeper.ts`,
    find: 'if (tries <= 1) return false;',
    put: 'if (tries > 0) return false;',
    test: { file: keeper, name: 'ever longer waits' },
  },
  {
    name: 'base keys outlive the last-resort key that they are of',
    file: `${client}/history/prekeys.ts`,
    find: "kind = 'used_base_key' AND",
    put: "kind = 'no_base_key' AND",
    test: { file: keeper, name: 'kept for 30 days' },
  },
];
