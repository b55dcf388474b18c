import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { generateStoreKey, openClient, systemRuntime, type SendHttp } from '@waxwing/client-core';
import { startTestWorld } from '../support/in-process-server.ts';

let world: Awaited<ReturnType<typeof startTestWorld>>;
afterEach(() => world.end());

it('a copied file is told that it is cloned at its first connect after the original went on, and keeps its history', async () => {
  world = await startTestWorld();
  const key = generateStoreKey();
  const bob = await world.client('bob');
  const first = await world.client('alice', { key });
  await Promise.all([first.connect(), bob.connect()]);
  await (await (await first.direct(bob.account)).send({ text: 'before the copy' })).reached('delivered');
  await first.close();

  const original = { path: join(world.folder, 'alice.db'), key };
  const copied = { path: join(world.folder, 'copy.db'), key };
  copyFileSync(original.path, copied.path);

  const restarted = await openClient({ store: original });
  await restarted.connect();
  const copy = await openClient({ store: copied });
  await expect(copy.connect()).rejects.toMatchObject({ code: 'cloned' });
  expect(copy.connection.getSnapshot().state).toBe('cloned');
  await expect(copy.connect()).rejects.toMatchObject({ code: 'cloned' });
  await copy.close();

  const reopened = await openClient({ store: copied });
  expect(reopened.connection.getSnapshot().state).toBe('cloned');
  const kept = (await reopened.direct(bob.account)).history().getSnapshot().items;
  expect(kept).toMatchObject([{ kind: 'message', text: 'before the copy' }]);
  await reopened.close();

  expect(restarted.connection.getSnapshot().state).toBe('online');
  await (await (await restarted.direct(bob.account)).send({ text: 'after the copy' })).reached('delivered');
  await restarted.close();
});

it('an original that was not started since the copy is the one that is told', async () => {
  world = await startTestWorld();
  const key = generateStoreKey();
  const first = await world.client('alice', { key });
  await first.connect();
  await first.close();
  const original = { path: join(world.folder, 'alice.db'), key };
  const copied = { path: join(world.folder, 'copy.db'), key };
  copyFileSync(original.path, copied.path);
  const copy = await openClient({ store: copied });
  await copy.connect();
  await copy.close();
  const late = await openClient({ store: original });
  await expect(late.connect()).rejects.toMatchObject({ code: 'cloned' });
  await late.close();
});

it('a request signed before the relay took the fresh token is not told that it is cloned', async () => {
  world = await startTestWorld();
  const key = generateStoreKey();
  const bob = await world.client('bob', { username: 'slow_bob.07' });
  const first = await world.client('alice', { key });
  await first.connect();
  await first.close();
  const { http } = systemRuntime();
  let online: (() => void) | undefined;
  const untilOnline = new Promise<void>((resolve) => (online = resolve));
  // Signed when it is asked, and on its way until the connection is there.
  const slow: SendHttp = async (request) => {
    await untilOnline;
    return http(request);
  };
  const again = await openClient({ store: { path: join(world.folder, 'alice.db'), key }, runtime: { http: slow } });
  const found = again.direct('slow_bob.07');
  await again.connect();
  online?.();
  expect((await found).peer).toBe(bob.account);
  await again.close();
});
