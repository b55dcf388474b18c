import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { tables, tablesIn, withTables } from './docs-tables.ts';

const document = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
const HOW = 'differs from the code: run "npm run docs:tables"';

describe('docs/protocol.md', () => {
  it.each(Object.keys(tables))('has the table that the code has: %s', (name) => {
    expect(tablesIn(document)[name], `The table ${name} ${HOW}`).toBe(tables[name]);
  });

  it('has no table that the code has not', () => {
    expect(Object.keys(tablesIn(document)).sort()).toEqual(Object.keys(tables).sort());
  });
});

describe('writing the tables', () => {
  it('mends a table that differs, and changes nothing else', () => {
    const fresh = withTables(document);
    const spoilt = fresh.replace('| `token_missing`', '| `token_missed`');
    expect(spoilt).not.toBe(fresh);
    expect(tablesIn(spoilt).errors).not.toBe(tables.errors);
    expect(withTables(spoilt)).toBe(fresh);
    expect(withTables(fresh)).toBe(fresh);
  });
});
