import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  decodeEnvelope,
  decodeSignedDeviceList,
  deviceListHash,
  decodeFrame,
  decodeHeads,
  encodeFrame,
  encodeHeads,
  frameKinds,
  sha256,
  type Down,
} from '@waxwing/protocol';
import { splitList } from '../../client-core/src/sync/list-gossip.ts';
import { contradictions } from '../../client-core/src/sync/witness.ts';
import { putList } from '../support/client-second-device.ts';
import { acquainted, alerts, asksNobody, deliversN, holesOf, sayAll, shown, talk } from '../support/client-talk.ts';
import { createClientWorld, type ClientWorld, type TestClient } from '../support/client-world.ts';

let world: ClientWorld;
let alice: TestClient;
let bob: TestClient;

beforeEach(async () => {
  world = await createClientWorld();
  [alice, bob] = await acquainted(world);
  await world.run(60_000);
});
afterEach(() => world.close());

const kindsOf = (device: TestClient) => device.frames.map((bytes) => decodeFrame(bytes).kind);
const headsOf = (device: TestClient) => kindsOf(device).filter((kind) => kind === frameKinds.heads).length;

describe('a relay that hides the newest message', () => {
  const hide = (down: Down): readonly Down[] => (deliversN(down, 2) ? [] : [down]);

  test('and tells its number is found out when the conversation is opened', async () => {
    bob.link.down = hide;
    await sayAll(world, alice, bob, 'hidden');
    await world.run(3_000);
    bob.link.ups.length = 0;
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho']);
    await world.run(3_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 awaiting sender]']);
    await talk(world, bob, alice);
    await world.run(3_000);
    expect(bob.link.ups.filter((up) => up.type === 'heads')).toHaveLength(1);
  });

  test('and denies it is found out when its sender looks at the conversation', async () => {
    bob.link.down = (down) => (down.type === 'heads_reply' ? [] : hide(down));
    asksNobody(bob);
    await sayAll(world, alice, bob, 'hidden');
    await world.run(60_000);
    expect(headsOf(alice)).toBe(1);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 awaiting sender]']);
    expect([...alerts(alice), ...alerts(bob)]).toEqual([]);
    await talk(world, alice, bob);
    await world.run(120_000);
    expect(headsOf(alice)).toBe(1);
    await world.run(600_000);
    await talk(world, alice, bob);
    await world.run(10_000);
    expect(headsOf(alice)).toBe(2);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 awaiting sender]']);
    bob.link.down = (down) => [down];
    await sayAll(world, alice, bob, 'next');
    await world.run(5_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 awaiting sender]', 'next']);
  });

  test('and denies it has it brought by its sender', async () => {
    bob.link.down = (down) => (down.type === 'heads_reply' ? [] : hide(down));
    await sayAll(world, alice, bob, 'hidden');
    await world.until(() => holesOf(bob).length > 0);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 awaiting sender]']);
    await world.run(60_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'hidden']);
    expect([...alerts(alice), ...alerts(bob)]).toEqual([]);
  });

  test('and everything seen since is a hole of unknown numbers', async () => {
    bob.link.down = (down) => (down.type === 'heads_reply' ? [] : hide(down));
    alice.alterFrame = (bytes) => {
      const frame = decodeFrame(bytes);
      if (frame.kind !== frameKinds.heads) return bytes;
      const { handle, head } = decodeHeads(frame.body);
      return encodeFrame({ ...frame, body: encodeHeads({ handle, ...(head && { head }) }) });
    };
    await sayAll(world, alice, bob, 'hidden');
    await world.until(() => holesOf(bob).length > 0);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 lost]']);
    await world.run(60_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'hidden']);
    expect([...alerts(alice), ...alerts(bob)]).toEqual([]);
  });

  test('is told nothing more where the other side has said that it has everything', async () => {
    await sayAll(world, alice, bob, 'received');
    await world.run(700_000);
    await talk(world, alice, bob);
    await world.run(10_000);
    expect([headsOf(alice), headsOf(bob)]).toEqual([0, 0]);
  });
});

describe('a device that says which frame is its newest', () => {
  const claim = async (n: number) => {
    bob.link.down = (down) => {
      if (down.type === 'deliver' && decodeEnvelope(down.envelope).type === 'direct') return [down];
      return down.type === 'heads_reply' || deliversN(down, 3) ? [] : [down];
    };
    alice.alterFrame = (bytes) => {
      const frame = decodeFrame(bytes);
      if (frame.kind !== frameKinds.heads) return bytes;
      const { handle } = decodeHeads(frame.body);
      return encodeFrame({ ...frame, body: encodeHeads({ handle, head: { n, frameHash: sha256('else') } }) });
    };
    await sayAll(world, alice, bob, 'two', 'three');
    await world.run(60_000);
    expect(headsOf(alice)).toBe(1);
  };

  test('and names another under an n that is held is an alert', async () => {
    await claim(2);
    expect(alerts(bob)).toEqual([contradictions.head]);
  });

  test('and names another under an n that comes later is an alert when it comes', async () => {
    await claim(4);
    expect(alerts(bob)).toEqual([]);
    bob.link.down = (down) => [down];
    await sayAll(world, alice, bob, 'four');
    await world.run(5_000);
    expect(alerts(bob)).toEqual([contradictions.head]);
  });

  test('and names an absurd one makes nobody wait for it', async () => {
    await claim(1_000_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'two']);
  });
});

describe('what a sender says of its own device list', () => {
  const listOf = (device: TestClient, of: TestClient) => device.store?.lists.get(of.client.account)?.list.version;

  test('that is newer than the one kept has it fetched, and agrees', async () => {
    await world.reopen(bob);
    await world.connect(bob);
    await putList(world, alice, () => ({}));
    const stored = await world.storage.directory.deviceList(alice.client.account);
    if (stored === undefined) throw new Error('a list');
    claimList(2, deviceListHash(decodeSignedDeviceList(stored.signed)));
    await sayAll(world, alice, bob, 'with a newer list');
    await world.run(5_000);
    expect(listOf(bob, alice)).toBe(2);
    expect(alerts(bob)).not.toContain(splitList);
  });

  const claimList = (version: number, hash: Uint8Array) => {
    alice.alterFrame = (bytes) =>
      encodeFrame({ ...decodeFrame(bytes), list: { version, hashPrefix: hash.subarray(0, 8) } });
  };
  const claimAnother = (version: number) => claimList(version, sha256('another list'));

  test('that is another under the same version is an alert', async () => {
    claimAnother(1);
    await sayAll(world, alice, bob, 'split');
    await world.run(2_000);
    expect(alerts(bob)).toContain(splitList);
    expect(await shown(world, bob, alice)).toContain(`!${splitList}`);
  });

  test('that is another than the one which is fetched for it is an alert', async () => {
    claimAnother(2);
    await sayAll(world, alice, bob, 'of a list that is not there yet');
    await world.run(2_000);
    expect(alerts(bob)).not.toContain(splitList);
    await putList(world, alice, () => ({}));
    await world.run(60_000);
    await sayAll(world, alice, bob, 'asked again');
    await world.run(2_000);
    expect(alerts(bob)).toContain(splitList);
  });

  test('is asked for at most once a minute', async () => {
    claimAnother(9);
    let asked = 0;
    bob.http = (request, send) => {
      if (request.url.includes('device-list')) asked += 1;
      return send(request);
    };
    await sayAll(world, alice, bob, 'a', 'b', 'c');
    await world.run(30_000);
    expect(asked).toBe(1);
  });
});
