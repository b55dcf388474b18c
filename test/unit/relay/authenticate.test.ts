import { generateKeyPairSync, sign } from 'node:crypto';
import {
  audience,
  encodeUpBatch,
  limits,
  requestHash,
  signToken,
  tokenTimes,
  type RelayClaims,
} from '@waxwing/protocol';
import { describe, expect, it } from 'vitest';
import {
  authenticateMessage,
  bodyFor,
  generation,
  submitMessage,
  testOrigin,
  type AuthenticateOptions,
} from '../../support/relay-device.ts';
import { createRelayWorld, settle, until } from '../../support/relay-world.ts';

/** Connects with a token made like this, and says how the link ended. */
async function endOf(make: (world: { nowMs: number; nonce: string }) => Partial<AuthenticateOptions>) {
  const world = createRelayWorld();
  const { devices } = await world.account();
  const { device, ends } = world.link();
  const challenge = await device.next('challenge');
  const nonce = Buffer.from(challenge.nonce).toString('base64url');
  device.say(authenticateMessage(devices[0], challenge, make({ nowMs: challenge.serverTimeMs, nonce })));
  await until(() => device.isEnded());
  expect(device.all('ready')).toEqual([]);
  return { ends, reason: (await device.ended).reason, code: (await device.ended).code };
}

describe('a token', () => {
  const second = 1_000;
  const cases: [string, string, (times: { nowMs: number; nonce: string }) => Partial<AuthenticateOptions>][] = [
    ['past its time', 'token_expired', ({ nowMs }) => ({ claims: tokenTimes(nowMs - 61 * second) })],
    ['from the future', 'token_expired', ({ nowMs }) => ({ claims: tokenTimes(nowMs + 7 * second) })],
    [
      'that lives too long',
      'token_expired',
      ({ nowMs }) => ({ claims: { iat: Math.floor(nowMs / 1_000), exp: Math.floor(nowMs / 1_000) + 61 } }),
    ],
    ['for another server', 'token_audience', () => ({ claims: { aud: audience('relay', 'https://other.example') } })],
    ['for the keyserver', 'token_audience', () => ({ claims: { aud: audience('keys', testOrigin) } })],
    ['that answers another challenge', 'token_replayed', () => ({ claims: { nonce: generation(3).toString() } })],
    ['that is no token', 'token_malformed', () => ({ token: 'a.b' })],
    ['of no device', 'token_malformed', () => ({ claims: { iss: 'someone' } })],
    [
      'of another device than the one named',
      'token_rejected',
      () => ({ claims: { iss: `${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}.1` } }),
    ],
  ];
  // "Expired, replayed, foreign-audience or HTTP-form token at the relay: `needs-auth` with the reason …"
  it.each(cases)('%s is refused with %s', async (_, code, make) => {
    const ended = await endOf(make);
    expect(ended.reason).toBe(code);
    expect(ended.code).toBe(4200);
  });

  it('for HTTP is refused as the wrong form', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const ended = await endOf(({ nowMs }) => {
      const req = requestHash('GET', '/v1/relay', new Uint8Array(0));
      const claims = {
        iss: `${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}.1`,
        aud: audience('relay', testOrigin),
        ...tokenTimes(nowMs),
        req,
        gen: [],
      };
      return { token: signToken(claims, (message) => sign(null, message, privateKey)) };
    });
    expect(ended.reason).toBe('token_form');
  });

  it('with another algorithm, or none, is refused', async () => {
    const claims = ({ nowMs, nonce }: { nowMs: number; nonce: string }): RelayClaims => ({
      iss: `${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}.1`,
      aud: audience('relay', testOrigin),
      ...tokenTimes(nowMs),
      nonce,
    });
    for (const alg of ['none', 'HS256', 'ES256']) {
      const ended = await endOf((at) => {
        const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
        return { token: `${part({ alg, typ: 'JWT' })}.${part(claims(at))}.` };
      });
      expect(ended.reason).toBe('token_malformed');
    }
  });

  it('captured on one connection opens no other', async () => {
    const world = createRelayWorld();
    const [device] = (await world.account()).devices;
    const first = world.link().device;
    const captured = authenticateMessage(device, await first.next('challenge'));
    first.say(captured);
    await first.next('ready');
    const second = world.link().device;
    await second.next('challenge');
    second.say(captured);
    expect((await second.ended).reason).toBe('token_replayed');
  });

  it('for any of the configured origins is taken', async () => {
    const world = createRelayWorld();
    const [device] = (await world.account()).devices;
    const claims = { aud: audience('relay', 'wss://relay.example') };
    await world.link().device.authenticate(device, { claims });
  });
});

describe('who is refused', () => {
  it('cannot tell a missing account, a missing device and a wrong signature apart', async () => {
    const world = createRelayWorld();
    const [device] = (await world.account()).devices;
    const other = createRelayWorld({ seed: 2 });
    const [stranger] = (await other.account()).devices;
    const wrong = { ...device, sign: (message: Uint8Array) => stranger.sign(message) };
    const absent = {
      ...stranger,
      account: device.account,
      device: (await other.account({ devices: 2 })).devices[1]!.device,
    };
    const ends = [];
    for (const as of [stranger, wrong, absent]) {
      const link = world.link();
      link.device.say(authenticateMessage(as, await link.device.next('challenge')));
      await link.device.ended;
      ends.push(link.ends);
    }
    expect(ends).toEqual(Array(3).fill(['close needs_auth token_rejected']));
  });

  it('a signature in another spelling is not the signature', async () => {
    const world = createRelayWorld();
    const [device] = (await world.account()).devices;
    const link = world.link().device;
    const good = authenticateMessage(device, await link.next('challenge'));
    link.say({ ...good, token: `${good.token}=` });
    expect((await link.ended).reason).toBe('token_rejected');
  });
});

describe('time', () => {
  // "… a device clock 25 h off still connects."
  it('of a device 25 hours off either way does not keep it out, since iat comes from the challenge', async () => {
    for (const hours of [-25, 25]) {
      const world = createRelayWorld();
      const [device] = (await world.account()).devices;
      const link = world.link().device;
      const challenge = await link.next('challenge');
      const deviceClock = world.runtime.clock.now() + hours * 3_600_000;
      expect(Math.abs(deviceClock - challenge.serverTimeMs)).toBeGreaterThan(24 * 3_600_000);
      link.say(authenticateMessage(device, challenge));
      await link.next('ready');
    }
  });

  it('to authenticate ends after five seconds', async () => {
    const world = createRelayWorld();
    const link = world.link();
    await link.device.next('challenge');
    await world.runtime.advanceAsync(limits.authenticateWithinMs - 1);
    expect(link.ends).toEqual([]);
    await world.runtime.advanceAsync(1);
    expect(link.ends).toEqual(['close needs_auth token_missing']);
  });

  it('to authenticate does not run on after the token has come', async () => {
    const world = createRelayWorld();
    const [device] = (await world.account()).devices;
    const link = world.link();
    await link.device.authenticate(device);
    await world.runtime.advanceAsync(limits.authenticateWithinMs);
    expect(link.ends).toEqual([]);
  });
});

describe('the state of a connection', () => {
  it.each(['submit', 'ack', 'heartbeat', 'heads'] as const)('allows no %s before Authenticate', async (type) => {
    const world = createRelayWorld();
    const [device] = (await world.account()).devices;
    const link = world.link().device;
    await link.next('challenge');
    const messages = {
      submit: submitMessage(bodyFor([], device, ''), { n: 1 }),
      ack: { type: 'ack', committed: { incarnation: 'AAAAAAAAAAA', number: 1 } },
      heartbeat: { type: 'heartbeat' },
      heads: { type: 'heads', request: 1, handles: [] },
    } as const;
    link.say(messages[type]);
    expect(await link.ended).toEqual({ code: 4302, reason: 'unexpected' });
  });

  it('allows no second Authenticate, neither at once nor later', async () => {
    for (const isLater of [false, true]) {
      const world = createRelayWorld();
      const [device] = (await world.account()).devices;
      const link = world.link().device;
      const message = authenticateMessage(device, await link.next('challenge'));
      link.say(message);
      if (isLater) await link.next('drained');
      link.say(message);
      expect(await link.ended).toEqual({ code: 4302, reason: 'unexpected' });
    }
  });

  it('handles nothing that follows the message which closed it', async () => {
    const world = createRelayWorld();
    const [device] = (await world.account()).devices;
    const link = world.link().device;
    await link.authenticate(device);
    const message = authenticateMessage(device, { nonce: generation(1), serverTimeMs: 0 });
    const submit = submitMessage(bodyFor([], device, ''), { n: 1 });
    link.sendRaw(encodeUpBatch([message, submit]));
    await link.ended;
    await settle();
    expect(await world.storage.mailboxes.heads([submit.handle])).toEqual([{ handle: submit.handle }]);
  });
});
