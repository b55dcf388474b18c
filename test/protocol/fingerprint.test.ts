import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { protocolVersions } from '@waxwing/protocol';
import { fingerprint } from './fingerprint.ts';

type Announced = { readonly version: number; readonly parts: Readonly<Record<string, string>> };

const announced = JSON.parse(readFileSync(new URL('fingerprint.json', import.meta.url), 'utf8')) as Announced;

const HOW = `is not what test/protocol/fingerprint.json says. If the change is meant, announce it:
  1. Can an older side still read what a newer one writes, and the other way? If not, add a version to
     protocolVersions in protocol/src/version.ts. In either case say in the history there what changed.
  2. Add vectors for what is new: extend test/vectors/generate.ts and run it. Vectors that a release has are never changed.
  3. Run "npm run docs:tables -- --announce", which writes that file and the tables of docs/protocol.md.
  4. Say it in CHANGELOG.md.`;

describe('the contract of the wire', () => {
  const now = fingerprint();

  it.each(Object.keys({ ...announced.parts, ...now }))('is as announced: %s', (part) => {
    expect(now[part], `${part} ${HOW}`).toBe(announced.parts[part]);
  });

  it('is announced for the newest version', () => {
    expect(announced.version, `The version ${HOW}`).toBe(protocolVersions[0]);
  });

  it('has every version in the history', () => {
    const source = readFileSync(new URL('../../protocol/src/version.ts', import.meta.url), 'utf8');
    const history = source.slice(source.indexOf('History:'), source.indexOf('*/', source.indexOf('History:')));
    for (const version of protocolVersions) expect(history).toMatch(new RegExp(`\\b${version}, \\w+ \\d{4}, `));
  });
});
