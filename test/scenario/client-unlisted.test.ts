import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeSignedDeviceList, parseDeviceId } from '@waxwing/protocol';
import { addDevice, putList } from '../support/client-second-device.ts';
import { acquainted, alerts, changeSequenced, holesOf, say, sayAll, shown, talk } from '../support/client-talk.ts';
import { createClientWorld, type ClientWorld, type TestClient } from '../support/client-world.ts';

let world: ClientWorld;
let alice: TestClient;
let bob: TestClient;

beforeEach(async () => {
  world = await createClientWorld();
  [alice, bob] = await acquainted(world);
});
afterEach(() => world.close());

describe('a device that no verified list names', () => {
  test('is held while the keyserver is away, and read as soon as its list is here', async () => {
    const carol = await world.online();
    bob.http = () => Promise.reject(new Error('down'));
    await world.wait((await say(world, carol, bob, 'who am I?')).reached('sent'));
    await world.run(1_000);
    expect(holesOf(bob)).toEqual([]);
    bob.http = (request, send) => send(request);
    await talk(world, bob, carol);
    await world.run(100);
    expect(await shown(world, bob, carol)).toEqual(['who am I?']);
  });

  test('is read after the next connection, also where its list came before a crash', async () => {
    const carol = await world.online();
    bob.http = () => Promise.reject(new Error('down'));
    await world.wait((await say(world, carol, bob, 'who am I?')).reached('sent'));
    await world.run(1_000);
    bob.http = (request, send) => send(request);
    const list = await world.storage.directory.deviceList(carol.client.account);
    if (!list) throw new Error('a list');
    await world.reopen(bob);
    bob.store?.transaction(() =>
      bob.store?.lists.put({ signed: decodeSignedDeviceList(list.signed), list: list.list }),
    );
    await world.connect(bob);
    await world.run(100);
    expect(await shown(world, bob, carol)).toEqual(['who am I?']);
  });

  test('costs one wait for a keyserver that does not answer, not one for each envelope', async () => {
    const carol = await world.online();
    await world.wait(bob.client.close());
    for (let index = 0; index < 8; index += 1) {
      await world.wait((await say(world, carol, bob, `c${index}`)).reached('sent'));
    }
    await sayAll(world, alice, bob, 'from a friend');
    await world.reopen(bob);
    bob.http = () =>
      new Promise((_resolve, reject) => void world.runtime.timers.after(20_000, () => reject(new Error('late'))));
    void bob.client.connect().catch(() => undefined);
    const began = world.runtime.clock.now();
    await world.until(() => bob.link.downs.some((down) => down.type === 'drained'));
    const conversation = bob.client.conversation((await talk(world, alice, bob)).id);
    await conversation.catch(() => undefined);
    const direct = await bob.client.direct(alice.client.account);
    const query = direct.history();
    await world.until(() =>
      query.getSnapshot().items.some((item) => item.kind === 'message' && item.text === 'from a friend'),
    );
    expect(world.runtime.clock.now() - began).toBeLessThan(45_000);
  });

  test('a list whose signature is not good is refused with an alert, and nothing is encrypted for it', async () => {
    const carol = await world.online();
    bob.http = async (request, send) => {
      const answer = await send(request);
      if (!request.url.includes('bundles') && !request.url.includes('device-list')) return answer;
      const body = Buffer.from(answer.body).toString();
      const forged = body.replace(/"deviceList":"([^"]+)"/, (_all, text: string) => {
        const bytes = Buffer.from(text, 'base64url');
        bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
        return `"deviceList":"${bytes.toString('base64url')}"`;
      });
      return { ...answer, body: Buffer.from(forged) };
    };
    const conversation = await talk(world, bob, carol);
    const sent = await conversation.send({ text: 'secret' });
    await world.run(3_000);
    expect(sent.status.getSnapshot()).toEqual({ state: 'queued' });
    expect(alerts(bob).every((what) => what.startsWith('device list refused'))).toBe(true);
    expect(alerts(bob).length).toBeGreaterThan(0);
    expect(bob.frames.every((frame) => !Buffer.from(frame).includes('secret'))).toBe(true);
  });

  test('a second device that comes to a known account is told', async () => {
    await addDevice(world, bob);
    await sayAll(world, alice, bob, 'to both');
    expect(alice.events).toContainEqual({ type: 'deviceAdded', account: bob.client.account, device: 2 });
  });

  test('a hole is told once, however often what is held is tried again', async () => {
    bob.link.down = changeSequenced(
      (envelope) => ({ ...envelope, sender: { ...envelope.sender, device: parseDeviceId(5) } }),
      2,
    );
    await sayAll(world, alice, bob, 'from device 5', 'next');
    await world.run(3_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', '[1 unlisted device]', 'next']);
    bob.link.down = (down) => [down];
    await putList(world, alice, (list) => ({
      devices: [
        ...list.devices,
        ...list.devices.map((device) => ({ ...device, device: parseDeviceId(5), addedIn: list.version })),
      ],
    }));
    for (let index = 0; index < 3; index += 1) {
      bob.link.cut();
      await world.until(() => bob.client.connection.getSnapshot().state !== 'online');
      await world.until(() => bob.client.connection.getSnapshot().state === 'online');
      await world.run(70_000);
    }
    expect(holesOf(bob)).toHaveLength(1);
  });
});
