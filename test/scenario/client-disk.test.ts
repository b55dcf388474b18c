import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { closeCodes } from '@waxwing/protocol';
import { addDevice } from '../support/client-second-device.ts';
import { acquainted, deliversN, say, shown, talk } from '../support/client-talk.ts';
import { StoreFullError } from '@waxwing/client-core';
import type { Store } from '../../client-core/src/history/store.ts';
import { createClientWorld, type ClientWorld, type TestClient } from '../support/client-world.ts';

let world: ClientWorld;
beforeEach(async () => {
  world = await createClientWorld();
});
afterEach(() => world.close());

/** A store whose transactions fail while `disk.full`, or at the `disk.failing`-th from now. */
function onDisk(disk: { full: boolean }): (store: Store) => Store {
  return (store) => ({
    ...store,
    transaction<T>(work: () => T): T {
      if (disk.full) throw new StoreFullError();
      return store.transaction(work);
    },
  });
}

const stateOf = (device: TestClient) => device.client.connection.getSnapshot().state;

// "Full disk at the client: the error names it, nothing is acked that is not committed."
describe('a full disk', () => {
  async function full(): Promise<{ alice: TestClient; bob: TestClient; disk: { full: boolean } }> {
    const [alice, bob] = await acquainted(world);
    const disk = { full: false };
    await world.reopen(bob, onDisk(disk));
    await world.connect(bob);
    await world.run(5_000);
    return { alice, bob, disk };
  }
  const told = (device: TestClient) => device.events.some(({ type }) => type === 'storeFull');

  test('acks nothing of what comes in, tells, and goes on afterwards', async () => {
    const { alice, bob, disk } = await full();
    disk.full = true;
    bob.link.ups.length = 0;
    await world.wait((await say(world, alice, bob, 'no room')).reached('sent'));
    await world.run(10_000);
    expect(bob.link.ups.filter(({ type }) => type === 'ack')).toEqual([]);
    expect(told(bob)).toBe(true);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho']);
    disk.full = false;
    await world.until(() => bob.link.ups.some(({ type }) => type === 'ack'));
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'no room']);
  });

  test('refuses to try a message again with a rejection', async () => {
    const { alice, bob, disk } = await full();
    const sent = await say(world, bob, alice, 'kept');
    disk.full = true;
    let retrying: Promise<void> | undefined;
    expect(() => (retrying = sent.retry())).not.toThrow();
    await expect(retrying).rejects.toMatchObject({ code: 'store_full' });
    disk.full = false;
  });

  test('refuses a send with an error, and lets it through afterwards', async () => {
    const { alice, bob, disk } = await full();
    const conversation = await talk(world, bob, alice);
    disk.full = true;
    await expect(conversation.send({ text: 'no room' })).rejects.toMatchObject({ code: 'store_full', retryable: true });
    disk.full = false;
    await world.wait((await conversation.send({ text: 'room' })).reached('sent'));
    expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'room']);
  });

  test.each(['before framing', 'before the answer', 'before a refusal', 'before a mismatch'])(
    '%s: the message waits, and goes once when there is room',
    async (when) => {
      const { alice, bob, disk } = await full();
      if (when === 'before a mismatch') await addDevice(world, alice);
      const conversation = await talk(world, bob, alice);
      let armed = true;
      bob.link.up = (up) => {
        if (up.type !== 'submit' || !armed) return [up];
        armed = false;
        if (when === 'before the answer' || when === 'before a mismatch') disk.full = true;
        if (when !== 'before a refusal') return [up];
        disk.full = true;
        bob.link.say({
          type: 'rejected',
          request: up.request,
          code: 'bad_recipients',
          retryAfterMs: 0,
          mismatches: [],
        });
        return [];
      };
      if (when === 'before framing') bob.link.offline = true;
      if (when === 'before framing') bob.link.cut();
      await world.settle();
      const sent = await conversation.send({ text: 'waits' });
      if (when === 'before framing') disk.full = true;
      bob.link.offline = false;
      await world.run(20_000);
      disk.full = false;
      if (when === 'before a refusal') await world.wait(sent.reached('sent').catch(() => undefined));
      else await world.wait(sent.reached('sent'));
      await world.run(2_000);
      expect(['sent', 'delivered', 'failed']).toContain(sent.status.getSnapshot().state);
      if (when !== 'before a refusal') {
        expect(await shown(world, alice, bob)).toEqual(['hi', 'ho', 'waits']);
        const added = when === 'before a mismatch' ? ['!device added'] : [];
        expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', ...added, 'waits']);
      }
      const next = await conversation.send({ text: 'next' });
      await world.wait(next.reached('sent'));
    },
  );

  test('while it connects: it is tried again until there is room', async () => {
    const { alice, bob, disk } = await full();
    await world.wait((await say(world, alice, bob, 'held up')).reached('sent'));
    await world.reopen(bob, onDisk(disk));
    disk.full = true;
    const connecting = bob.client.connect();
    connecting.catch(() => undefined);
    await world.run(20_000);
    expect(stateOf(bob)).not.toBe('online');
    disk.full = false;
    await world.wait(connecting);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'held up']);
  });

  test('while a list comes, a gap is given up, a receipt is made, keys are made: nothing is lost', async () => {
    const { alice, bob, disk } = await full();
    const carol = await world.online();
    bob.link.down = (down) => (deliversN(down, 2) ? [] : [down]);
    await world.wait((await say(world, alice, bob, 'dropped')).reached('sent'));
    await world.wait((await say(world, alice, bob, 'behind a gap')).reached('sent'));
    await world.run(100);
    disk.full = true;
    await world.wait((await say(world, carol, bob, 'a stranger')).reached('sent'));
    bob.link.say({ type: 'prekeys_low' });
    await world.run(10_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho']);
    disk.full = false;
    await world.run(10_000);
    bob.link.cut();
    await world.until(() => stateOf(bob) !== 'online');
    await world.until(() => stateOf(bob) === 'online');
    await world.run(5_000);
    expect(await shown(world, bob, alice)).toEqual(['hi', 'ho', 'dropped', 'behind a gap']);
    expect(await shown(world, bob, carol)).toEqual(['a stranger']);
  });

  test('while the relay says that this is a copy: it is told again', async () => {
    const { bob, disk } = await full();
    disk.full = true;
    bob.link.cut(closeCodes.cloned, 'cloned');
    await world.until(() => stateOf(bob) === 'cloned');
    expect(told(bob)).toBe(true);
  });
});
