import { readFileSync, writeFileSync } from 'node:fs';
import { protocolVersions } from '@waxwing/protocol';
import { documents, withTables } from './docs-tables.ts';
import { fingerprint } from './fingerprint.ts';

// npm run docs:tables: brings the tables of the documents up to the code. With --announce, the fingerprint too.

for (const [path, tables] of Object.entries(documents)) {
  const document = new URL(`../../${path}`, import.meta.url);
  writeFileSync(document, withTables(readFileSync(document, 'utf8'), tables));
}

if (process.argv.includes('--announce')) {
  const announced = { version: protocolVersions[0], parts: fingerprint() };
  writeFileSync(new URL('fingerprint.json', import.meta.url), `${JSON.stringify(announced, null, 2)}\n`);
}
