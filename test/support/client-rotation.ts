import {
  decodeSignedDeviceList,
  deviceListHash,
  encodeSignedDeviceList,
  readDeviceList,
  signDeviceList,
  type SignedKeyJson,
} from '@waxwing/protocol';
import { openStore } from '../../client-core/src/history/store.ts';
import type { LocalKeys } from '../../client-core/src/session/crypto.ts';
import type { ClientWorld, TestClient } from './client-world.ts';

/**
 * The account gets another identity key: a list that both keys signed is at the keyserver, with prekeys under the new one.
 * Its device goes on with the new key in its file, and keeps its sessions with these peers, as archived ones. It is left
 * open and not connected.
 */
export async function rotateIdentity(world: ClientWorld, owner: TestClient, ...peers: TestClient[]): Promise<void> {
  const { crypto, clock } = owner.runtime;
  const { account } = owner.client;
  await world.wait(owner.client.close());
  const before = owner.identity;
  const next = crypto.createIdentity();
  const stored = await world.storage.directory.deviceList(account);
  if (stored === undefined) throw new Error('no such account');
  const signed = signDeviceList(
    {
      ...stored.list,
      version: stored.list.version + 1,
      previousHash: deviceListHash(decodeSignedDeviceList(stored.signed)),
      identityKey: next.publicKey,
      identityGeneration: stored.list.identityGeneration + 1,
    },
    (message) => crypto.signIdentity(next.keyPair, message),
    (message) => crypto.signIdentity(before.keyPair, message),
  );
  const list = readDeviceList(signed);
  await world.storage.directory.putDeviceList({ signed: encodeSignedDeviceList(signed), list });

  const store = openStore(owner.path, owner.key, { create: false });
  const row = store.device.get();
  if (!row?.authSecretKey) throw new Error('no device');
  const { device, registrationId, nextPrekeyId } = row;
  const local: LocalKeys = { address: { account, device }, registrationId, identityKeyPair: next.keyPair };
  const repeated = crypto.createRepeatedKeys(local, nextPrekeyId, clock.now());
  const listed = { ...local.address, addedIn: list.devices.find((one) => one.device === device)?.addedIn ?? 1 };
  const { prekeys } = world.storage;
  // One-time Kyber keys under the key before are of no more use.
  while ((await prekeys.count(listed)).oneTimeKyberKeys > 0) await prekeys.take(listed, { oneTime: true });
  const { signedPrekey, lastResortKyber } = repeated.upload;
  await prekeys.publish(listed, { signedPrekey: bytesOf(signedPrekey), lastResortKyber: bytesOf(lastResortKyber) });
  const [generations, committed] = [store.device.generations(), store.device.committed()];
  const kept = peers.map(({ client }) => {
    const address = { account: client.account, device: client.device };
    return { list: store.lists.get(client.account), archived: crypto.archiveSession(store.crypto, address) };
  });
  const { authSecretKey } = row;
  store.transaction(() => {
    store.device.forget();
    store.device.insert({
      ...row,
      authSecretKey,
      registration: new Uint8Array(0),
      identityKeyPair: next.keyPair,
      identityPublicKey: next.publicKey,
      nextPrekeyId: nextPrekeyId + 1,
      repeatedKeysAtMs: clock.now(),
    });
    store.device.registered();
    for (const token of generations) store.device.addGeneration(token);
    if (committed) store.device.setCommitted(committed);
    store.lists.put({ signed, list });
    for (const one of kept) if (one.list) store.lists.put(one.list);
    store.crypto.write([...repeated.changes, ...kept.flatMap(({ archived }) => archived)]);
  });
  store.close();
  await world.reopen(owner);
}

function bytesOf({ id, publicKey, signature }: SignedKeyJson) {
  const bytes = (text: string): Uint8Array => Buffer.from(text, 'base64url');
  return { id, publicKey: bytes(publicKey), signature: bytes(signature) };
}
