import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsed, registerProfile, runCommand, startServe, temporaryFolder, waxwing } from '../support/cli.ts';
import { endProcesses, type RunningProcess } from '../support/processes.ts';

const TIMEOUT = { timeout: 120_000 };
const { path: folder, remove } = temporaryFolder('cli');
let url = '';
let server: RunningProcess;
let port = '';
const profiles: Record<string, { readonly account: string; readonly profile: string }> = {};

const serveArgs = () => ['--data', join(folder, 'relay'), '--port', port || '0', '--admin-port', 'off'];
const profileOf = (name: string): string => profiles[name]?.profile ?? '';

beforeAll(async () => {
  ({ server, url } = await startServe(serveArgs()));
  port = new URL(url).port;
  for (const name of ['alice', 'bob', 'carol']) profiles[name] = await registerProfile(url, join(folder, name), name);
}, 120_000);

afterAll(async () => {
  await endProcesses();
  remove();
});

describe('a profile', () => {
  it('is a folder of its owner alone, with the key in a file of its own', () => {
    expect(statSync(profileOf('alice')).mode & 0o777).toBe(0o700);
    for (const file of ['device.db', 'device.key']) {
      expect(statSync(join(profileOf('alice'), file)).mode & 0o777).toBe(0o600);
    }
  });

  it('is not made twice', TIMEOUT, async () => {
    const { code, errors } = await runCommand(['register', '--server', url, '--profile', profileOf('alice')]);
    expect(code).toBe(1);
    expect(errors).toContain('has a device already');
  });

  it('whose username is taken is not made, and is with another', TIMEOUT, async () => {
    const args = ['register', '--server', url, '--profile', join(folder, 'dave'), '--username'];
    const taken = await runCommand([...args, 'alice']);
    expect({ code: taken.code, errors: taken.errors }).toEqual({
      code: 1,
      errors: 'waxwing register: the username is taken\n',
    });
    const other = await runCommand([...args, 'dave']);
    expect(other.code).toBe(0);
    expect(parsed(other.lines[0])).toMatchObject({ username: 'dave', device: 1 });
  });

  it('that was begun with something else is not finished as if it had been this', TIMEOUT, async () => {
    const profile = join(folder, 'begun');
    const far = ['register', '--server', 'http://127.0.0.1:9', '--profile', profile];
    expect((await runCommand(far)).errors).toContain('does not answer. The same command goes on');
    const other = await runCommand(['register', '--server', url, '--profile', profile]);
    expect(other.code).toBe(1);
    expect(other.errors).toContain('begun with --server http://127.0.0.1:9. Finish that, or take another folder');
  });

  it('that another process has open is refused to a second', TIMEOUT, async () => {
    const tail = waxwing(['tail', '--profile', profileOf('carol')]);
    await new Promise<void>((resolve) => {
      const look = setInterval(() => {
        if (!existsSync(join(profileOf('carol'), 'device.db-wal'))) return;
        clearInterval(look);
        resolve();
      }, 20);
    });
    const second = await runCommand(['tail', '--profile', profileOf('carol')]);
    expect({ code: second.code, errors: second.errors }).toEqual({
      code: 1,
      errors: 'waxwing tail: another process has this profile open\n',
    });
    tail.kill('SIGTERM');
    expect(await tail.exit()).toEqual({ code: 0, signal: null });
  });

  it('whose key others can read says how to close it', TIMEOUT, async () => {
    const key = join(profileOf('carol'), 'device.key');
    chmodSync(key, 0o644);
    const { errors } = await runCommand(['history', '--profile', profileOf('carol'), '--with', 'bob']);
    expect(errors).toContain(`chmod 600 ${key}`);
    chmodSync(key, 0o600);
  });
});

describe('send and tail', () => {
  it('carry lines in their order, each under its id, whatever is in them', TIMEOUT, async () => {
    const tail = waxwing(['tail', '--profile', profileOf('bob')]);
    const lines = [
      'plain',
      '{"id":"k1","text":"two\\nlines"}',
      '{"id":"k1","text":"two\\nlines"}',
      '{curly}',
      'مرحبا 🎉',
      'end',
    ];
    const args = ['send', '--profile', profileOf('alice'), '--to', 'bob', '--wait', 'delivered', '-'];
    const sender = waxwing(args);
    sender.write(...lines);
    sender.endInput();
    expect(await sender.exit()).toEqual({ code: 0, signal: null });
    const sent = sender.lines.map(parsed);
    expect(sent.map(({ status }) => status)).toEqual(lines.map(() => 'delivered'));
    expect(sent[1]).toEqual({ id: sent[2]?.id, key: 'k1', status: 'delivered' });
    const got = (await tail.count(5)).map(parsed);
    tail.kill('SIGTERM');
    expect(await tail.exit()).toEqual({ code: 0, signal: null });
    expect(got.map(({ text }) => text)).toEqual(['plain', 'two\nlines', '{curly}', 'مرحبا 🎉', 'end']);
    expect(got.map(({ id }) => id)).toEqual([...new Set(sent.map(({ id }) => id))]);
    expect(got[0]).toMatchObject({ from: profiles.alice?.account, redelivered: false, late: false });
    expect(got.map(({ sequence }) => sequence)).toMatchObject([1, 2, 3, 4, 5].map((number) => ({ number })));
  });

  it('tell of an id that was used for another text, and go on', TIMEOUT, async () => {
    const args = ['send', '--profile', profileOf('alice'), '--to', 'carol', '-'];
    const { code, lines, errors } = await runCommand(args, ['{"id":"k2","text":"a"}', '{"id":"k2","text":"b"}', 'c']);
    expect(code).toBe(1);
    expect(lines.map(parsed)).toMatchObject([
      { key: 'k2', status: 'sent' },
      { id: null, key: 'k2', status: 'failed', code: 'id_taken' },
      { status: 'sent' },
    ]);
    expect(errors).toBe('waxwing send: not every message is sent\n');
  });

  it('send what stands before a line that is wrong, and end with 2', TIMEOUT, async () => {
    const args = ['send', '--profile', profileOf('alice'), '--to', 'carol', '-'];
    const { code, lines, errors } = await runCommand(args, ['before', '{"txt":"mistyped"}', 'after']);
    expect(code).toBe(2);
    expect(lines.map((line) => parsed(line).status)).toEqual(['sent']);
    expect(errors).toContain('line 2 of the input');
    expect(errors).toContain('Type: waxwing send');
  });

  it('give each consumer everything, and the one that a kill cut off what it may not have had', TIMEOUT, async () => {
    const { lines } = await runCommand(['tail', '--profile', profileOf('bob'), '--consumer', 'second', '--count', '5']);
    expect(lines.map((line) => parsed(line).text)).toContain('plain');
    const killed = waxwing(['tail', '--profile', profileOf('bob'), '--consumer', 'third']);
    await killed.count(2);
    killed.kill('SIGKILL');
    await killed.exit();
    const before = new Set(killed.lines.map((line) => parsed(line).id));
    // On a busy machine the kill comes when all that there was is handled.
    await runCommand(['send', '--profile', profileOf('carol'), '--to', 'bob', 'after the kill']);
    const rest = await runCommand(['tail', '--profile', profileOf('bob'), '--consumer', 'third', '--count', '1']);
    for (const line of rest.lines.map(parsed)) {
      if (before.has(line.id)) expect(line.redelivered).toBe(true);
    }
  });

  // "Unknown user in `--to`: exit 1 and one line."
  it('say in one line that there is nobody of that name', TIMEOUT, async () => {
    for (const user of ['nobody_at_all', '00000000-0000-4000-8000-000000000000', 'not a name']) {
      const { code, lines, errors } = await runCommand(['send', '--profile', profileOf('alice'), '--to', user, 'hi']);
      expect({ code, lines, errors }).toEqual({
        code: 1,
        lines: [],
        errors: `waxwing send: no such account or username: ${user}\n`,
      });
    }
  });

  it('end quietly where nobody reads what they print', TIMEOUT, async () => {
    const tail = waxwing(['tail', '--profile', profileOf('bob'), '--consumer', 'unread']);
    tail.closeOutput();
    expect(await tail.exit()).toEqual({ code: 0, signal: null });
    expect(tail.errors).toBe('');
    // What nobody read is not handled.
    const next = await runCommand(['tail', '--profile', profileOf('bob'), '--consumer', 'unread', '--count', '1']);
    expect(parsed(next.lines[0])).toMatchObject({ text: 'plain', redelivered: true });
  });
});

describe('without the server', () => {
  beforeAll(async () => {
    server.kill('SIGKILL');
    await server.exit();
  });

  it('history and coverage show what the device holds', TIMEOUT, async () => {
    const args = ['--profile', profileOf('alice'), '--with'];
    const json = await runCommand(['history', ...args, 'bob', '--json']);
    expect(json.lines.map((line) => parsed(line).text)).toEqual(['plain', 'two\nlines', '{curly}', 'مرحبا 🎉', 'end']);
    const text = await runCommand(['history', ...args, profiles.bob?.account ?? '', '--limit', '1']);
    expect(text.lines.at(-1)).toMatch(/^\d\d:\d\d ✓✓ me: end$/);
    expect(text.errors).toContain('older messages are left out');
    const coverage = await runCommand(['coverage', ...args, 'bob', '--json']);
    expect(coverage.lines.map(parsed)).toMatchObject([{ kind: 'held', from: 1, to: 5 }]);
    const stranger = await runCommand(['history', ...args, 'dave']);
    expect({ code: stranger.code, errors: stranger.errors }).toEqual({
      code: 1,
      errors: 'waxwing history: the server does not answer, and only it knows who dave is\n',
    });
  });

  it(
    'safety-number shows both sides the same digits, also without the server, and tells whom it does not know',
    TIMEOUT,
    async () => {
      const [alice, bob] = ['alice', 'bob'].map((name) => ['safety-number', '--profile', profileOf(name), '--with']);
      const json = await runCommand([...(alice ?? []), profiles.bob?.account ?? '', '--json']);
      const { digits, scannable, ...rest } = parsed(json.lines[0]);
      expect(rest).toEqual({ account: profiles.bob?.account, verified: false });
      expect(digits).toMatch(/^\d{60}$/);
      expect(Buffer.from(String(scannable), 'base64url')).toHaveLength(74);
      const text = await runCommand([...(bob ?? []), profiles.alice?.account ?? '']);
      expect({ code: text.code, errors: text.errors }).toEqual({ code: 0, errors: '' });
      expect(text.lines).toHaveLength(4);
      expect(text.lines[0]).toMatch(/^\d{5} \d{5} \d{5} \d{5}$/);
      expect(text.lines.slice(0, 3).join('').replaceAll(' ', '')).toBe(digits);
      expect(text.lines[3]).toBe('not verified');
      const stranger = await runCommand([...(alice ?? []), '99999999-0000-4000-8000-000000000009']);
      expect({ code: stranger.code, errors: stranger.errors }).toEqual({
        code: 1,
        errors:
          'waxwing safety-number: the server does not answer, and this device does not know 99999999-0000-4000-8000-000000000009 yet\n',
      });
    },
  );

  it('search finds what the device holds, and says who wrote it', TIMEOUT, async () => {
    const args = ['search', '--profile', profileOf('alice')];
    const json = await runCommand([...args, '--json', '--with', 'bob', '--from', 'me', 'plai*']);
    expect(json.lines.map(parsed)).toMatchObject([
      {
        conversation: `direct:${profiles.bob?.account ?? ''}`,
        text: 'plain',
        snippet: [{ text: 'plain', match: true }],
      },
    ]);
    const text = await runCommand([...args, 'lines', 'two']);
    expect(text.lines).toHaveLength(1);
    expect(text.lines[0]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d ✓✓ me to bob: two lines$/);
    const none = await runCommand([...args, '--from', 'bob', 'plain']);
    expect({ code: none.code, lines: none.lines, errors: none.errors }).toEqual({ code: 0, lines: [], errors: '' });
    expect((await runCommand([...args, '"*( NEAR'])).code).toBe(0);
  });

  it('send keeps what it was given, tells how it stands, and the next one takes it along', TIMEOUT, async () => {
    const to = profiles.bob?.account ?? '';
    const args = ['send', '--profile', profileOf('alice'), '--to', to, '--id', 'later'];
    const first = await runCommand([...args, '--timeout', '1', 'kept']);
    expect(first.code).toBe(1);
    expect(first.lines.map(parsed)).toMatchObject([{ key: 'later', status: 'queued' }]);
    const explain = ['explain', '--profile', profileOf('alice')];
    const { id } = parsed(first.lines[0]);
    const json = await runCommand([...explain, '--json', String(id)]);
    expect(json.lines.map(parsed)).toMatchObject([{ id, state: 'queued', cause: 'not_connected', tries: 0 }]);
    const text = await runCommand([...explain, String(id)]);
    expect(text.lines.slice(0, 2)).toEqual([
      expect.stringMatching(/^queued since \S+: not connected$/),
      'Connect this device: the message goes out then.',
    ]);
    const unknown = await runCommand([...explain, 'hole:1.1.1']);
    expect({ code: unknown.code, errors: unknown.errors }).toEqual({
      code: 1,
      errors: 'waxwing explain: no such message or hole on this device: hole:1.1.1\n',
    });
    ({ server } = await startServe(serveArgs()));
    const again = await runCommand([...args, 'kept']);
    expect(again.code).toBe(0);
    expect(parsed(again.lines[0])).toEqual({ id: parsed(first.lines[0]).id, key: 'later', status: 'sent' });
  });
});

describe('tail', () => {
  it('stays through a restart of the server', TIMEOUT, async () => {
    const tail = waxwing(['tail', '--profile', profileOf('bob'), '--consumer', 'patient']);
    await tail.line((line) => line.includes('"kept"'));
    server.kill('SIGKILL');
    await server.exit();
    ({ server } = await startServe(serveArgs()));
    await runCommand(['send', '--profile', profileOf('alice'), '--to', 'bob', 'after the restart']);
    await tail.line((line) => line.includes('after the restart'), 90_000);
    tail.kill('SIGTERM');
    expect(await tail.exit()).toEqual({ code: 0, signal: null });
  });
});

describe('chat in a pipe', () => {
  it('lists, opens, sends and ends when its input does, in plain lines', TIMEOUT, async () => {
    const args = ['chat', '--profile', profileOf('alice')];
    const { code, lines } = await runCommand(args, ['/list', '/open 1', 'from a pipe', '/nonsense']);
    expect(code).toBe(0);
    const page = lines.join('\n');
    expect(page).not.toContain(String.fromCodePoint(27));
    expect(page).toContain('Conversations (/open');
    expect(page).toMatch(/── with bob \([0-9a-f-]{36}\) ──/);
    expect(page).toMatch(/me: from a pipe/);
    expect(page).toContain('✓  sent: from a pipe');
    expect(page).toContain('there is no /nonsense. Type: /help');
  });

  it('shows what comes, made harmless, and how far own messages are', TIMEOUT, async () => {
    const chat = waxwing(['chat', '--profile', profileOf('carol'), '--with', 'alice']);
    await chat.line((line) => line.includes('with alice'));
    await runCommand(['send', '--profile', profileOf('alice'), '--to', 'carol', 'over\u001b[2J\u0007 here']);
    expect(await chat.line((line) => line.includes('here'))).toMatch(/ alice: over\[2J here$/);
    chat.write('seen', '/quit');
    expect(await chat.exit()).toEqual({ code: 0, signal: null });
    expect(chat.lines.some((line) => line.endsWith('me: seen'))).toBe(true);
  });
});

describe('serve', () => {
  const fresh = (name: string) => ['--data', join(folder, name), '--port', '0', '--admin-port', '0'];

  it('drains at the first SIGTERM: devices are sent away, and it ends with 0', TIMEOUT, async () => {
    const { server: one, url: where } = await startServe(fresh('drained'));
    const someone = await registerProfile(where, join(folder, 'drained-profile'));
    const tail = waxwing(['tail', '--profile', someone.profile]);
    await one.line(() => true);
    one.kill('SIGTERM');
    expect(await one.exit()).toEqual({ code: 0, signal: null });
    expect(one.errors).toContain('"signal":"SIGTERM"');
    tail.kill('SIGTERM');
    await tail.exit();
  });

  it('ends at once at the second SIGTERM, whatever is under way', TIMEOUT, async () => {
    const { server: one, url: where } = await startServe(fresh('hurried'));
    const half = connect(Number(new URL(where).port), '127.0.0.1');
    half.on('error', () => undefined);
    half.write(
      'POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{',
    );
    await fetch(`${where}/.well-known/waxwing`);
    one.kill('SIGTERM');
    await one.said('"signal":"SIGTERM"');
    one.kill('SIGTERM');
    expect(await one.exit(10_000)).toEqual({ code: 1, signal: null });
    half.destroy();
  });

  it('tells the operator whether it is ready', TIMEOUT, async () => {
    const { server: one } = await startServe(fresh('ready'));
    const line = await one.line((text) => text.startsWith('for the operator'));
    const admin = /http:\S+:\d+/.exec(line)?.[0] ?? '';
    expect((await fetch(`${admin}/readyz`)).status).toBe(200);
    one.kill('SIGTERM');
    await one.exit();
  });

  it('takes its store from a file that the environment names', TIMEOUT, async () => {
    const secret = join(folder, 'store.secret');
    writeFileSync(secret, `sqlite:${join(folder, 'from-secret')}\n`, { mode: 0o600 });
    const { server: one } = await startServe(['--port', '0', '--admin-port', 'off'], { WAXWING_STORE_FILE: secret });
    expect(existsSync(join(folder, 'from-secret', 'relay.db'))).toBe(true);
    one.kill('SIGTERM');
    expect(await one.exit()).toEqual({ code: 0, signal: null });
  });

  it('keeps the rates that it was given', TIMEOUT, async () => {
    const { server: one, url: where } = await startServe([...fresh('rated'), '--requests-per-address', '2+1/h']);
    const answers = [];
    for (let i = 0; i < 3; i++) answers.push(await fetch(`${where}/.well-known/waxwing`));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(answers[2]?.headers.get('retry-after')).toBe('3600');
    one.kill('SIGTERM');
    expect(await one.exit()).toEqual({ code: 0, signal: null });
  });

  it('refuses what its environment says wrongly, by name', TIMEOUT, async () => {
    const one = waxwing(['serve', '--data', join(folder, 'never')], { WAXWING_PROT: '1', WAXWING_PORT: '99999' });
    expect(await one.exit()).toEqual({ code: 2, signal: null });
    expect(one.errors).toContain('WAXWING_PROT: there is no such setting; is WAXWING_PORT meant?');
    expect(one.errors).toContain('WAXWING_PORT: "99999" is not a port');
    expect(existsSync(join(folder, 'never'))).toBe(false);
  });

  it('says which port is taken and what to type', TIMEOUT, async () => {
    const args = ['serve', '--data', join(folder, 'taken'), '--port', port, '--admin-port', 'off'];
    const { code, errors } = await runCommand(args);
    expect(code).toBe(1);
    expect(errors).toContain(`port ${port} is taken. Take another: --port`);
  });

  it('for trying out prints a command that works as it stands, and leaves no folder behind', TIMEOUT, async () => {
    const { server: one } = await startServe(['--dev', '--port', '0', '--admin-port', 'off']);
    const next = await one.line((line) => line.includes(' register '));
    const words = next.trim().split(' ').slice(1);
    const data = /data in (\S+)/.exec(one.lines.join('\n'))?.[1] ?? '';
    expect(existsSync(data)).toBe(true);
    const profile = join(folder, 'tried');
    const typed = words.map((word, index) => (words[index - 1] === '--profile' ? profile : word));
    expect((await runCommand(typed)).code).toBe(0);
    expect(readFileSync(join(profile, 'device.key'), 'utf8')).toMatch(/^[0-9a-f]{64}\n$/);
    one.kill('SIGTERM');
    expect(await one.exit()).toEqual({ code: 0, signal: null });
    expect(existsSync(data)).toBe(false);
  });
});
