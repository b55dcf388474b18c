import { KEMKeyPair, PrivateKey } from '@signalapp/libsignal-client';
import type { DeviceBundleJson, OneTimeKeyJson, SignedKeyJson } from '@waxwing/protocol';
import { smallOrderPoints } from '../../keyserver/src/libsignal/key-form.ts';
import { createLibsignalCrypto } from '../../client-core/src/session/libsignal-crypto.ts';
import type { CryptoView, LocalKeys, Peer } from '../../client-core/src/session/crypto.ts';
import { parseAccountId, parseDeviceId } from '@waxwing/protocol';
import { prekeys, signKey, signedKey, kyberKey, ecKey, text, type Person } from '../../test/unit/keyserver/person.ts';
import { createDice, type Dice } from './dice.ts';
import { DirectoryWatch } from './directory-watch.ts';
import { HttpCaller } from './http-caller.ts';
import { answerOf } from './http.ts';
import { watchOwn, type OwnWatch } from './own-watch.ts';
import { Tally, type RowOptions, type RowReport } from './row.ts';
import { besiege, type Besieged } from './siege.ts';
import { spoilBytes } from './spoil-bytes.ts';

const bytesOf = (base64url: string): Buffer => Buffer.from(base64url, 'base64url');
/** Ids are 1 to 2^32 - 1. */
const oddIds: readonly number[] = [0, -1, 1.5, 2 ** 32, 2 ** 32 + 1, 2 ** 53, 1e300];
const oddLengths: readonly number[] = [0, 1, 31, 32, 34, 64, 65, 1_568, 1_570, 2_000];

/** Public keys that stand for another point's form, for none, or for one that gives away the secret. */
function badPoints(): Buffer[] {
  const typed = (coordinate: Uint8Array): Buffer => Buffer.concat([Buffer.of(5), coordinate]);
  const top = (coordinate: Buffer): Buffer => {
    const set = Buffer.from(coordinate);
    set.writeUInt8(set.readUInt8(31) | 0x80, 31);
    return set;
  };
  const small = smallOrderPoints.map((hex) => Buffer.from(hex, 'hex'));
  const prime = Buffer.from(`ed${'ff'.repeat(30)}7f`, 'hex');
  const primeAndMore = [0, 1, 2, 9, 18].map((more) => {
    const point = Buffer.from(prime);
    point.writeUInt8(0xed + more, 0);
    return point;
  });
  return [...small, ...small.map(top), ...primeAndMore, top(Buffer.alloc(32, 9)), Buffer.alloc(32, 0xff)].map(typed);
}

type Kind = 'oneTimeKeys' | 'oneTimeKyberKeys' | 'signedPrekey' | 'lastResortKyber';
const kinds: readonly Kind[] = ['oneTimeKeys', 'oneTimeKyberKeys', 'signedPrekey', 'lastResortKyber'];
const isEc = (kind: Kind): boolean => kind === 'oneTimeKeys' || kind === 'signedPrekey';
const isSigned = (kind: Kind): boolean => kind !== 'oneTimeKeys';

type Spoilt = { readonly what: string; readonly key: SignedKeyJson };

/** One wrong key of a kind: each way of being wrong is well signed, where it is not the signature that is wrong. */
function spoilKey(kind: Kind, owner: Person, dice: Dice): Spoilt {
  const good = isEc(kind) ? signedKey(owner.identity, 7) : kyberKey(owner.identity, 7);
  const signed = (what: string, publicKey: Uint8Array): Spoilt => ({
    what,
    key: signKey(owner.identity, 7, publicKey),
  });
  const key = bytesOf(good.publicKey);
  const withType = (type: number): Buffer => Buffer.concat([Buffer.of(type), key.subarray(1)]);
  const ways: (() => Spoilt)[] = [
    () => signed('another length', dice.bytes(dice.pick(oddLengths))),
    () => signed('one byte more', Buffer.concat([key, dice.bytes(1)])),
    () => signed('one byte less', key.subarray(0, -1)),
    () => signed('another type', withType(dice.pick([0, 4, 6, 7, 9, 255]))),
    () => ({ what: 'an odd id', key: { ...good, id: dice.pick(oddIds) } }),
    () =>
      isEc(kind)
        ? signed('a Kyber key for a point', KEMKeyPair.generate().getPublicKey().serialize())
        : signed('a point for a Kyber key', PrivateKey.generate().getPublicKey().serialize()),
  ];
  if (isEc(kind)) ways.push(() => signed('a bad point', dice.pick(badPoints())));
  if (isSigned(kind)) {
    const signature = bytesOf(good.signature);
    const resigned = (what: string, bytes: Uint8Array): Spoilt => ({ what, key: { ...good, signature: text(bytes) } });
    ways.push(
      () => resigned('no signature', Buffer.alloc(64)),
      () => resigned('another length of signature', dice.bytes(dice.pick([1, 63, 65, 128]))),
      () => resigned('a signature with a flipped bit', flipped(signature, dice)),
      () => ({
        what: 'a signature of another key',
        key: { ...good, signature: signedKey(owner.identity, 8).signature },
      }),
    );
  }
  return dice.pick(ways)();
}

function flipped(bytes: Buffer, dice: Dice): Buffer {
  const changed = Buffer.from(bytes);
  const at = dice.int(bytes.length);
  changed.writeUInt8(changed.readUInt8(at) ^ (1 << dice.int(8)), at);
  return changed;
}

const withoutSignature = ({ id, publicKey }: SignedKeyJson): OneTimeKeyJson => ({ id, publicKey });

type Uploads = { readonly caller: HttpCaller; readonly directory: DirectoryWatch; readonly owner: Person };

/** Uploads one wrong key among good ones: refused with 400 or 422 and a code, and nothing of it is kept. */
async function upload({ caller, directory, owner }: Uploads, tally: Tally, dice: Dice): Promise<void> {
  const kind = dice.pick(kinds);
  const { what, key } = spoilKey(kind, owner, dice);
  const good = prekeys(owner.identity, 1, 100);
  const wrong = {
    oneTimeKeys: [ecKey(50), withoutSignature(key)],
    oneTimeKyberKeys: [kyberKey(owner.identity, 51), key],
    signedPrekey: key,
    lastResortKyber: key,
  }[kind];
  const body = JSON.stringify({ ...good, [kind]: wrong });
  const told = (): string => `upload, ${kind}, ${what}: ${JSON.stringify(key)}`;
  try {
    const said = answerOf(await caller.ask(owner, { method: 'PUT', path: '/v1/prekeys', body }));
    tally.answered(`upload: ${said}`);
    if (said < '400') tally.found(`${said}: ${told()}`);
    if (directory.changed()) tally.found(`${said}, and kept: ${told()}`);
  } catch (error) {
    tally.answered('fault');
    tally.found(`${String(error)}: ${told()}`);
  }
}

type Receiver = { readonly local: LocalKeys; readonly view: CryptoView; readonly peer: Peer; readonly nowMs: number };

const empty: CryptoView = { get: () => undefined };

/** A bundle with one key, id or signature spoilt: the client refuses it, and throws nothing. */
async function bundle(
  owner: Person,
  receiver: Receiver,
  { tally, dice, own }: { readonly tally: Tally; readonly dice: Dice; readonly own: OwnWatch },
): Promise<void> {
  const crypto = createLibsignalCrypto((length) => dice.bytes(length));
  const good: DeviceBundleJson = {
    device: 1,
    registrationId: 5,
    signedPrekey: signedKey(owner.identity, 1),
    kyberKey: kyberKey(owner.identity, 2),
    oneTimeKey: ecKey(3),
  };
  const parts = {
    signedPrekey: 'signedPrekey',
    kyberKey: 'lastResortKyber',
    oneTimeKey: 'oneTimeKeys',
  } as const satisfies Record<string, Kind>;
  const part = dice.pick(['signedPrekey', 'kyberKey', 'oneTimeKey'] as const);
  let { what, key } = spoilKey(parts[part], owner, dice);
  if (dice.oneIn(3)) {
    what = 'spoilt bytes';
    const bytes = bytesOf(good.signedPrekey.publicKey);
    key = { ...good[part === 'oneTimeKey' ? 'signedPrekey' : part] };
    const field = part !== 'oneTimeKey' && dice.oneIn(2) ? 'signature' : 'publicKey';
    key = { ...key, [field]: text(spoilBytes(bytesOf(key[field]), bytes, dice)) };
  }
  const spoilt = { ...good, [part]: part === 'oneTimeKey' ? withoutSignature(key) : key };
  // An id is the peer's own choice; a one-time key is nobody's signature, any point serves.
  const mayStart = what === 'an odd id' || (what === 'spoilt bytes' && isSame(spoilt, good, part));
  try {
    const start = (from: DeviceBundleJson) =>
      crypto.startSession(receiver.local, empty, receiver.peer, from, receiver.nowMs);
    const { type } = await own.timedAsync(
      () => `bundle, ${part}, ${what}`,
      () => start(spoilt),
    );
    tally.answered(`bundle: ${type}`);
    if ((await start(good)).type === 'started') own.alive();
    if (type === 'started' && !mayStart) tally.found(`bundle, ${part}, ${what}: started: ${JSON.stringify(key)}`);
  } catch (error) {
    tally.answered('fault');
    tally.found(`bundle, ${part}, ${what}: ${String(error)}: ${JSON.stringify(key)}`);
  }
}

/** Whether a spoilt part may be taken: it is the same after all, or a one-time key that still is a point. */
function isSame(
  spoilt: DeviceBundleJson,
  good: DeviceBundleJson,
  part: 'signedPrekey' | 'kyberKey' | 'oneTimeKey',
): boolean {
  return part === 'oneTimeKey' || JSON.stringify(spoilt[part]) === JSON.stringify(good[part]);
}

/** H5: key material, half at the keyserver's uploads and half at the client's bundles. */
export async function attackKeys(options: RowOptions): Promise<RowReport> {
  const { cases, seed } = options;
  const tally = new Tally('H5');
  const dice = createDice(seed);
  const own = watchOwn(tally);
  const crypto = createLibsignalCrypto((length) => dice.bytes(length));

  const attack = async ({ url, data }: Besieged): Promise<void> => {
    const caller = new HttpCaller(url);
    const owner = await caller.register();
    const directory = new DirectoryWatch(data);
    const receiver: Receiver = {
      local: {
        address: { account: parseAccountId('00112233-4455-4077-8899-aabbccddeeff'), device: parseDeviceId(1) },
        registrationId: 9,
        identityKeyPair: crypto.createIdentity().keyPair,
      },
      view: empty,
      peer: { address: { account: owner.account, device: parseDeviceId(1) }, identityKey: owner.list.identityKey },
      nowMs: Date.UTC(2026, 0, 1),
    };
    for (let count = 0; count < cases; count += 1) {
      if (count % 2 === 0) await upload({ caller, directory, owner }, tally, dice);
      else await bundle(owner, receiver, { tally, dice, own });
    }
    directory.close();
    caller.close();
  };

  const siege = await besiege(tally, options, { attack, registers: true });
  return tally.report({ siege, own: await own.end() });
}
