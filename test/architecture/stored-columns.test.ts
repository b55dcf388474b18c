import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { directoryMigrations } from '../../storage/src/sqlite/migrations/directory.ts';
import { relayMigrations } from '../../storage/src/sqlite/migrations/relay.ts';
import { root } from './sources.ts';

const document = readFileSync(join(root, 'docs/threat-model.md'), 'utf8');

/** Every `table.column` of the schema that the migrations make. */
function columnsOf(migrations: readonly string[]): string[] {
  const db = new Database(':memory:');
  for (const step of migrations) db.exec(step);
  const rows = db
    .prepare(
      "SELECT m.name || '.' || c.name AS name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'",
    )
    .all() as { readonly name: string }[];
  db.close();
  return rows.map(({ name }) => name);
}

/** The columns that the document lists between a file's markers, each with what it holds and for how long. */
function listed(file: string): { readonly column: string; readonly holds: string; readonly keeps: string }[] {
  const start = document.indexOf(`<!-- columns:${file} -->`);
  const end = document.indexOf('<!-- /columns -->', start);
  const rows = document.slice(start, end).matchAll(/^\| `([a-z_.]+)` *\| ([^|]*?) *\| ([^|]*?) *\|$/gm);
  return [...rows].map(([, column = '', holds = '', keeps = '']) => ({ column, holds, keeps }));
}

describe.each([
  ['directory.db', directoryMigrations],
  ['relay.db', relayMigrations],
])('%s', (file, migrations) => {
  it('stores no column that docs/threat-model.md does not list, and the other way', () => {
    const columns = columnsOf(migrations);
    expect(columns.length).toBeGreaterThan(20);
    expect(
      listed(file)
        .map(({ column }) => column)
        .sort(),
    ).toEqual(columns.sort());
  });

  it('has for each column what it holds and for how long', () => {
    for (const { column, holds, keeps } of listed(file)) {
      expect({ column, said: holds.length > 0 && keeps.length > 0 }).toEqual({ column, said: true });
    }
  });
});
