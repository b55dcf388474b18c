import { createHash } from 'node:crypto';
import { createLogger, redactedKeys } from '@waxwing/relay';
import { describe, expect, it } from 'vitest';
import { bodyFor, submitMessage, testHandle } from '../../support/relay-device.ts';
import { createRelayWorld, until } from '../../support/relay-world.ts';

function capture() {
  const lines: string[] = [];
  return { lines, log: createLogger({ level: 'trace', destination: { write: (line) => lines.push(line) } }) };
}

describe('the log', () => {
  it('carries no value under a redacted key, at any depth, in a child, or in a cause', () => {
    const { lines, log } = capture();
    for (const key of redactedKeys) {
      log.info({ [key]: 'canary' }, 'flat');
      log.info({ a: { b: [{ [key]: { c: 'canary' } }] } }, 'deep');
      log.child({ [key]: 'canary' }).info('child');
      log.warn({ err: new Error('failed', { cause: { [key]: 'canary' } }) }, 'cause');
    }
    expect(lines).toHaveLength(4 * redactedKeys.size);
    expect(lines.filter((line) => line.includes('canary'))).toEqual([]);
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty('level');
  });

  it('carries no bytes, wherever they are', () => {
    const { lines, log } = capture();
    const canary = Buffer.from('canary');
    log.info({ canary, list: [canary], view: new DataView(new ArrayBuffer(4)) }, 'bytes');
    log.child({ child: canary, deep: { view: new Uint8Array(canary) } }).info('bytes');
    expect(lines.join('')).toContain('[bytes]');
    expect(lines.join('')).not.toContain('99');
    expect(lines.join('')).not.toContain('99,97,110');
  });

  it('carries no id, token, key or address in a message, an error or a stack', () => {
    const { lines, log } = capture();
    const secrets = [
      '01890000-0000-7000-8000-0123456789ab',
      testHandle(7),
      createHash('sha256').update('x').digest('hex'),
      createHash('sha256').update('x').digest('base64'),
      'eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiIwMTg5MDAwMCJ9.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl',
      '203.0.113.9',
      '2001:db8:1:2:3:4:5:6',
      'fe80::1',
      '::ffff:c000:201',
    ];
    for (const secret of secrets) {
      log.info(`about ${secret} here`);
      log.info('about %s here', secret);
      log.error(new Error(`bad ${secret}`));
      log.error({ err: new TypeError(`bad ${secret}`), n: 3 }, 'failed');
    }
    const all = lines.join('');
    for (const secret of secrets)
      for (const part of secret.split('.')) if (part.length > 4) expect(all).not.toContain(part);
    for (const secret of secrets) expect(all).not.toContain(secret);
  });

  it('still says what an operator needs: time, level, message, code, type and stack', () => {
    const { lines, log } = capture();
    log.error(
      { err: Object.assign(new RangeError('disk full'), { code: 'ENOSPC' }), connection: 7 },
      'the store failed',
    );
    const line = JSON.parse(lines[0]!) as Record<string, unknown>;
    expect(line).toMatchObject({
      level: 'error',
      msg: 'the store failed',
      connection: 7,
      err: { type: 'RangeError', code: 'ENOSPC', message: 'disk full' },
    });
    expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);
    expect(JSON.stringify(line.err)).toContain('log.test.ts:');
    expect(line).not.toHaveProperty('hostname');
  });

  it('of a whole connection, with faults, names no one and nothing of what was sent', async () => {
    const world = createRelayWorld({
      wrap: (storage) => ({
        ...storage,
        mailboxes: {
          ...storage.mailboxes,
          submit: (asked) => Promise.reject(new Error(`no room for ${asked.handle} of ${asked.sender.account}`)),
        },
      }),
    });
    const [alice] = (await world.account()).devices;
    const [bob] = (await world.account()).devices;
    const link = world.link().device;
    await link.authenticate(alice);
    const { token } = { token: alice.account };
    link.say(submitMessage(bodyFor([bob], alice, 'canary-in-the-text'), { n: 1 }));
    await link.next('rejected');
    link.sendRaw(Buffer.from('canary-in-the-frame'));
    await until(() => link.isEnded());
    const all = world.log.join('');
    expect(all).toContain('the store failed');
    expect(all).toContain('connection closed');
    for (const canary of ['canary', token, bob.account, testHandle(1)]) expect(all).not.toContain(canary);
  });
});
