import { expect, test } from 'vitest';
import { handedOutKeys } from '../../bench/abuse/handed-out-keys.ts';
import { prekeyDepletion } from '../../bench/abuse/prekey-depletion.ts';
import { replayedFirstMessages } from '../../bench/abuse/replayed-first-messages.ts';

test('who takes bundles without pause gets whole ones, and few one-time keys', async () => {
  const { broken, figures } = await prekeyDepletion({ takes: 400, callers: 33 });
  expect(broken).toEqual([]);
  expect(figures).toMatchObject({ byOne: 6, byMany: 198 });
});

test('who has accounts enough takes every one-time key of a device, and all still get whole bundles', async () => {
  const { broken, figures } = await prekeyDepletion({ takes: 400, callers: 40 });
  expect(broken).toEqual([]);
  expect(figures).toMatchObject({ byMany: 200, bundles: 800, refusals: 0 });
});

test('no one-time key is handed out twice, whatever runs at once and is killed', async () => {
  const { broken } = await handedOutKeys({ takes: 2_000, keys: 500, kills: 1 });
  expect(broken).toEqual([]);
});

test('a first message that comes again, also to a client that was opened again, makes no row and no session', async () => {
  const { broken } = await replayedFirstMessages({ messages: 2 });
  expect(broken).toEqual([]);
}, 60_000);
