import { describe, expect, it } from 'vitest';
import { ambientReads } from './ambient.ts';
import { sources } from './sources.ts';

/** What reads time, timers and randomness, and what composes the parts out of it. */
const roots = ['protocol/src/system-runtime.ts', 'cli/src/'];

describe('time, timers and randomness', () => {
  it('come into shipped code as arguments', () => {
    const reads = sources()
      .filter(({ path }) => !roots.some((start) => path.startsWith(start)))
      .flatMap(({ path, text }) => ambientReads(text).map((read) => `${path}:${read}`));
    expect(reads).toEqual([]);
  });

  it('are read by the system runtime, so that this test sees what it looks for', () => {
    const runtime = sources().find(({ path }) => path === 'protocol/src/system-runtime.ts');
    expect(ambientReads(runtime?.text ?? '').map((read) => read.slice(read.indexOf(' ') + 1))).toEqual([
      'randomBytes',
      'Date.now',
      'setTimeout',
    ]);
  });

  it.each([
    'const t = Date.now();',
    'const now = Date.now;',
    'const d = new Date();',
    'const d = new Date;',
    'setTimeout(() => {}, 5);',
    'const later = setInterval;',
    'globalThis.setTimeout(() => {}, 5);',
    'const p = performance.now();',
    'const r = Math.random();',
    'const id = crypto.randomUUID();',
    'const t = process.hrtime.bigint();',
    "import { randomBytes } from 'node:crypto';",
    "import { randomUUID as id } from 'node:crypto';",
    "import * as crypto from 'node:crypto';",
    "import { setTimeout as sleep } from 'node:timers/promises';",
  ])('are caught where they are read: %s', (line) => {
    expect(ambientReads(line)).toHaveLength(1);
  });

  it.each([
    '// Date.now() is not read here',
    "const text = 'Date.now()';",
    'const d = new Date(atMs);',
    'const t = runtime.clock.now();',
    'runtime.timers.setTimeout(5);',
    "import { createHash, createHmac } from 'node:crypto';",
    "import type { Clock } from '@waxwing/protocol';",
    'const bytes = runtime.randomBytes(4);',
  ])('are not found where they are not: %s', (line) => {
    expect(ambientReads(line)).toEqual([]);
  });
});
