import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { runWaxwing } from '@waxwing/cli';
import { defaultRates } from '@waxwing/keyserver';
import { afterAll, describe, expect, it } from 'vitest';
import { rate } from '../../../cli/src/settings/values.ts';

const folder = mkdtempSync(join(tmpdir(), 'waxwing-wrong-use-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const said = { out: '', err: '' };
  const into = (where: 'out' | 'err') =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        said[where] += chunk.toString();
        done();
      },
    });
  const stdin = new PassThrough();
  stdin.end();
  const interrupted = () => new AbortController().signal;
  const code = await runWaxwing(args, { stdin, stdout: into('out'), stderr: into('err'), env, interrupted });
  return { code, ...said, lines: said.err.trimEnd().split('\n') };
}

// "Wrong CLI use: exit 2 and a line that says what to type."
describe('a command that is called wrongly ends with 2, prints no data and says what to type', () => {
  it.each<[string[], string]>([
    [[], 'Usage: waxwing'],
    [['sned'], 'Type: waxwing --help'],
    [['serve', '--prot', '1'], 'Type: waxwing serve --dev'],
    [['serve'], 'Type: waxwing serve --dev'],
    [['serve', '--data', 'x', '--port', 'many'], 'Type: waxwing serve --dev'],
    [['register', '--profile', 'x'], 'Type: waxwing register --server URL --profile DIR'],
    [['register', '--server', 'nonsense', '--profile', 'x'], 'Type: waxwing register --server URL --profile DIR'],
    [['send', '--profile', 'x', 'hi'], 'Type: waxwing send --profile DIR --to USER'],
    [['send', '--profile', 'x', '--to', 'bob'], 'Type: waxwing send --profile DIR --to USER'],
    [['send', '--profile', 'x', '--to', 'bob', '--wait', 'seen', 'hi'], 'Type: waxwing send --profile DIR --to USER'],
    [['send', '--profile', 'x', '--to', 'bob', '--id', 'k', '-'], 'Type: waxwing send --profile DIR --to USER'],
    [['send', '--profile', 'x', '--to', 'bob', ''], 'Type: waxwing send --profile DIR --to USER'],
    [['tail'], 'Type: waxwing tail --profile DIR'],
    [['tail', '--profile', 'x', '--count', '0'], 'Type: waxwing tail --profile DIR'],
    [['tail', '--profile', 'x', '--consumer', 'a b'], 'Type: waxwing tail --profile DIR'],
    [['history', '--profile', 'x'], 'Type: waxwing history --profile DIR --with USER'],
    [['search', '--profile', 'x'], 'Type: waxwing search --profile DIR'],
    [['search', '--profile', 'x', '--limit', '0', 'word'], 'Type: waxwing search --profile DIR'],
    [['coverage', '--with', 'bob'], 'Type: waxwing coverage --profile DIR --with USER'],
    [['safety-number', '--profile', 'x'], 'Type: waxwing safety-number --profile DIR --with USER'],
    [['token', '--profile', 'x', '--aud', 'http://a'], 'Type: waxwing token --profile DIR --aud URL --path'],
    [['token', '--profile', 'x', '--aud', 'nowhere', '--path', '/v1'], '--aud: nowhere is not an origin'],
    [['token', '--profile', 'x', '--aud', 'http://a', '--path', 'v1'], '--path: v1 is not a path'],
    [['token', '--profile', 'x', '--aud', 'http://a', '--path', '/', '--method', 'HEAD'], '--method: HEAD is none'],
    [['token', '--profile', 'x', '--aud', 'http://a', '--path', '/', '--body', '/nowhere'], '--body: /nowhere'],
    [['token', '--profile', 'x', '--aud', 'http://a', '--path', '/', '--nonce', 'AA'], '--nonce: a token is for'],
    [['explain', '--profile', 'x'], 'Type: waxwing explain --profile DIR ID'],
    [['chat', '--with', 'bob'], 'Type: waxwing chat --profile DIR'],
  ])('%j', async (args, typed) => {
    const { code, out, err } = await run(args);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(typed);
  });

  it('says it as it is typed through npm, where it was started so', async () => {
    const { err } = await run(['tail'], { npm_lifecycle_event: 'waxwing' });
    expect(err).toContain('Type: npm run waxwing -- tail --profile DIR');
  });

  it('names each setting that is wrong', async () => {
    const { code, err } = await run(['serve', '--data', folder], { WAXWING_PROT: '1', WAXWING_PORT: 'x' });
    expect(code).toBe(2);
    expect(err).toContain('WAXWING_PROT');
    expect(err).toContain('WAXWING_PORT: "x"');
  });
});

describe('a command that fails ends with 1 and one line', () => {
  const commands: readonly [string, string[]][] = [
    ['send', ['send', '--to', 'bob', 'hi']],
    ['tail', ['tail']],
    ['history', ['history', '--with', 'bob']],
    ['search', ['search', 'word']],
    ['coverage', ['coverage', '--with', 'bob']],
    ['safety-number', ['safety-number', '--with', 'bob']],
    ['chat', ['chat']],
  ];

  it.each(commands)('%s, where the folder has no device, and makes none', async (_name, args) => {
    const { code, out, lines } = await run([...args, '--profile', join(folder, 'nobody')]);
    expect({ code, out, lines: lines.length }).toEqual({ code: 1, out: '', lines: 1 });
    expect(lines[0]).toContain('waxwing register --server URL --profile');
    expect(readdirSync(folder)).not.toContain('nobody');
  });

  it('where the key is no key', async () => {
    const profile = mkdtempSync(join(folder, 'profile-'));
    writeFileSync(join(profile, 'device.key'), 'not a key');
    const { code, lines } = await run(['tail', '--profile', profile]);
    expect({ code, lines }).toEqual({
      code: 1,
      lines: [`waxwing tail: ${profile}/device.key is not a key: 64 hex digits`],
    });
  });

  it(
    'where the server does not answer, and what was made goes on with the same command',
    { timeout: 60_000 },
    async () => {
      const profile = join(folder, 'early');
      const args = ['register', '--server', 'http://127.0.0.1:9', '--profile', profile];
      const first = await run(args);
      expect({ code: first.code, lines: first.lines.length }).toEqual({ code: 1, lines: 1 });
      expect(first.lines[0]).toContain('does not answer. The same command goes on');
      expect(statSync(profile).mode & 0o777).toBe(0o700);
      expect(statSync(join(profile, 'device.key')).mode & 0o777).toBe(0o600);
    },
  );
});

it('help is no failure', async () => {
  const { code, out } = await run(['send', '--help']);
  expect(code).toBe(0);
  expect(out).toContain('--wait');
});

it('the help of serve says which rates hold where none is given', async () => {
  const { out } = await run(['serve', '--help']);
  const said = (flag: string) => rate(new RegExp(`${flag} [^(]*\\(([^)]+)\\)`).exec(out)?.[1] ?? '');
  expect(said('--requests-per-address')).toEqual({ value: defaultRates.perAddress });
  expect(said('--requests-in-all')).toEqual({ value: defaultRates.inAll });
  expect(said('--registrations-per-address')).toEqual({ value: defaultRates.registrationsPerAddress });
});
