import type * as Crypto from 'node:crypto';
import { verify } from 'node:crypto';
import { parseDeviceId } from '@waxwing/protocol';
import { expect, it, vi } from 'vitest';
import { authenticateMessage } from '../../support/relay-device.ts';
import { createRelayWorld } from '../../support/relay-world.ts';

vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof Crypto>();
  return { ...crypto, verify: vi.fn(crypto.verify) };
});

// "Unknown account and no permission: the same answer in like time."
it('a refusal costs one verification, whether or not there is such an account or device', async () => {
  const world = createRelayWorld();
  const [device] = (await world.account()).devices;
  const elsewhere = createRelayWorld({ seed: 2 });
  const [stranger] = (await elsewhere.account()).devices;
  const wrongKey = { ...device, sign: (message: Uint8Array) => stranger.sign(message) };
  for (const as of [wrongKey, stranger, { ...device, device: parseDeviceId(9) }]) {
    vi.mocked(verify).mockClear();
    const link = world.link().device;
    link.say(authenticateMessage(as, await link.next('challenge')));
    expect((await link.ended).reason).toBe('token_rejected');
    expect(vi.mocked(verify)).toHaveBeenCalledTimes(1);
  }
});
