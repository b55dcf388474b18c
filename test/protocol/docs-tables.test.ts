import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { documents, tablesIn, withTables } from './docs-tables.ts';

const HOW = 'differs from the code: run "npm run docs:tables"';

describe.each(Object.entries(documents))('%s', (path, tables) => {
  const document = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

  it.each(Object.keys(tables))('has the table that the code has: %s', (name) => {
    expect(tablesIn(document)[name], `The table ${name} ${HOW}`).toBe(tables[name]);
  });

  it('has no table that the code has not', () => {
    expect(Object.keys(tablesIn(document)).sort()).toEqual(Object.keys(tables).sort());
  });

  it('has a table that differs mended, and nothing else changed', () => {
    const fresh = withTables(document, tables);
    const [name = '', table = ''] = Object.entries(tables)[0] ?? [];
    const row = table.split('\n')[2] ?? '';
    const spoilt = fresh.replace(`${row}\n`, '');
    expect(spoilt).not.toBe(fresh);
    expect(tablesIn(spoilt)[name]).not.toBe(table);
    expect(withTables(spoilt, tables)).toBe(fresh);
    expect(withTables(fresh, tables)).toBe(fresh);
  });
});
