import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'prettier';
import { describe, expect, it } from 'vitest';
import { root } from './sources.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const formatted = (code: string) => format(code, { parser: 'typescript', printWidth: 120, singleQuote: true });

describe('the README', () => {
  const readme = read('README.md');
  const block = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';

  it('has the ten lines of examples/ten-lines.ts', async () => {
    expect(block.trimEnd().split('\n')).toHaveLength(10);
    const example = read('examples/ten-lines.ts').replace(/^(?:\/\/.*\n|\s*\n)+/, '');
    expect(await formatted(block)).toBe(await formatted(example));
  });

  it('begins with the two commands', () => {
    const first = /```sh\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    expect(first.split('\n').map((line) => line.replace(/ *#.*/, ''))).toEqual([
      'npm ci && npm run demo',
      'npm ci && npm test',
      '',
    ]);
  });

  it('runs only scripts that package.json has', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> };
    const pages = ['README.md', 'CONTRIBUTING.md', 'docs/chat.md', 'docs/protocol.md', 'docs/architecture.md'];
    const named = pages.flatMap((page) =>
      [...read(page).matchAll(/npm run (?:-s )?([\w:-]+)/g)].map(([, name = '']) => name),
    );
    expect([...new Set(named)].filter((name) => !(name in scripts))).toEqual([]);
  });
});

describe('the documents', () => {
  const pages = [
    'README.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    'CHANGELOG.md',
    'docs/architecture.md',
    'docs/chat.md',
    'docs/errors.md',
    'docs/operations.md',
    'docs/protocol.md',
    'docs/roadmap.md',
    'docs/threat-model.md',
    'examples/README.md',
    'test/kit/README.md',
  ];

  it.each(pages)('%s links only to what is there', (page) => {
    const links = [...read(page).matchAll(/\]\(([^)#:]+)\)/g)].map(([, target = '']) => target);
    for (const target of links) expect(() => readFileSync(join(root, page, '..', target))).not.toThrow();
  });
});
