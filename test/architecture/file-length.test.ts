import { describe, expect, it } from 'vitest';
import { sources } from './sources.ts';

const MOST_LINES = 400;

describe('a source file', () => {
  it(`has at most ${MOST_LINES} lines`, () => {
    const long = sources()
      .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > MOST_LINES);
    expect(long).toEqual([]);
  });

  it('is found in every workspace', () => {
    const workspaces = new Set(sources().map(({ path }) => path.replace(/\/src\/.*/, '')));
    expect([...workspaces].sort()).toEqual([
      'cli',
      'client-core',
      'keyserver',
      'protocol',
      'relay',
      'storage',
      'test/kit',
    ]);
  });

  it('is no drawer', () => {
    const drawers = sources().filter(({ path }) => /\/(utils?|helpers?|common|misc)(\/|\.tsx?$)/.test(path));
    expect(drawers.map(({ path }) => path)).toEqual([]);
  });
});
