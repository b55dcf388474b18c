import { readFileSync, writeFileSync } from 'node:fs';
import { protocolVersions } from '@waxwing/protocol';
import { withTables } from './docs-tables.ts';
import { fingerprint } from './fingerprint.ts';

// npm run docs:tables: brings the tables of docs/protocol.md up to the code. With --announce, the fingerprint too.

const document = new URL('../../docs/protocol.md', import.meta.url);
writeFileSync(document, withTables(readFileSync(document, 'utf8')));

if (process.argv.includes('--announce')) {
  const announced = { version: protocolVersions[0], parts: fingerprint() };
  writeFileSync(new URL('fingerprint.json', import.meta.url), `${JSON.stringify(announced, null, 2)}\n`);
}
