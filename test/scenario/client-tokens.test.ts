import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { audience, requestHash, signToken, tokenTimes, type TokenClaims } from '@waxwing/protocol';
import { say, shown } from '../support/client-talk.ts';
import { createClientWorld, worldOrigin, type ClientWorld, type TestClient } from '../support/client-world.ts';

let world: ClientWorld;
beforeEach(async () => {
  world = await createClientWorld();
});
afterEach(() => world.close());

const HOUR_MS = 3_600_000;
const httpOnly = { req: requestHash('GET', '/v1/relay', new Uint8Array(0)), gen: [] };

type Claims = { readonly iss: string; readonly aud: string; readonly nonce: string; readonly nowMs: number };

/** In place of its own tokens the device gives these, signed with its key. */
async function givesTokens(device: TestClient, make: (own: Claims) => TokenClaims): Promise<void> {
  await world.reopen(device);
  const { account, device: id, authSecretKey } = device.store?.device.get() ?? {};
  if (!authSecretKey) throw new Error('no key');
  device.link.up = (up) => {
    const challenge = device.link.downs.findLast(({ type }) => type === 'challenge');
    if (up.type !== 'authenticate' || challenge?.type !== 'challenge') return [up];
    const claims = make({
      iss: `${account}.${id}`,
      aud: audience('relay', worldOrigin),
      nonce: Buffer.from(challenge.nonce).toString('base64url'),
      nowMs: challenge.serverTimeMs,
    });
    return [{ ...up, token: signToken(claims, (message) => device.runtime.crypto.signToken(authSecretKey, message)) }];
  };
}

// "Expired, replayed, foreign-audience or HTTP-form token at the relay: `needs-auth` with the reason; a device clock 25 h off
// still connects."
describe('a token at the relay', () => {
  test('as a device makes it is taken', async () => {
    const device = await world.create();
    await givesTokens(device, ({ nowMs, ...own }) => ({ ...own, ...tokenTimes(nowMs) }));
    await world.connect(device);
    expect(device.client.connection.getSnapshot()).toEqual({ state: 'online' });
  });

  test.each<[string, string, (own: Claims) => TokenClaims]>([
    ['expired', 'token_expired', ({ nowMs, ...own }) => ({ ...own, ...tokenTimes(nowMs - 61_000) })],
    [
      'replayed',
      'token_replayed',
      ({ nowMs, ...own }) => ({ ...own, nonce: Buffer.alloc(32, 1).toString('base64url'), ...tokenTimes(nowMs) }),
    ],
    [
      'of a foreign audience',
      'token_audience',
      ({ nowMs, ...own }) => ({ ...own, aud: audience('relay', 'https://other.example'), ...tokenTimes(nowMs) }),
    ],
    ['of the HTTP form', 'token_form', ({ nowMs, iss, aud }) => ({ iss, aud, ...httpOnly, ...tokenTimes(nowMs) })],
  ])('%s: needs-auth with %s', async (_name, reason, make) => {
    const device = await world.create();
    await givesTokens(device, make);
    await expect(world.connect(device)).rejects.toMatchObject({ code: reason });
    expect(device.client.connection.getSnapshot()).toEqual({ state: 'needs-auth', reason });
    device.link.up = (up) => [up];
    await world.connect(device);
    expect(device.client.connection.getSnapshot()).toEqual({ state: 'online' });
  });

  test.each([-25, 25])('of a device whose clock is %i h off is taken, and what it sends arrives', async (hours) => {
    const [device, peer] = [await world.create(), await world.online()];
    const { clock } = world.runtime;
    Object.assign(device.runtime, { clock: { ...clock, now: () => clock.now() + hours * HOUR_MS } });
    await world.reopen(device);
    await world.connect(device);
    await world.wait((await say(world, device, peer, 'hi')).reached('delivered'));
    expect(await shown(world, peer, device)).toEqual(['hi']);
  });
});
