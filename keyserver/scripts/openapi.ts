import { writeFileSync } from 'node:fs';
import { buildKeyserver } from '@waxwing/keyserver';
import { systemRuntime } from '@waxwing/protocol';
import { createMemoryStorage } from '@waxwing/storage';
import { pino } from 'pino';

// Writes keyserver/openapi.json from the routes' schemas:
// node --conditions=waxwing-source --import tsx keyserver/scripts/openapi.ts
const app = await buildKeyserver({
  storage: createMemoryStorage({ runtime: systemRuntime }),
  runtime: systemRuntime,
  log: pino({ enabled: false }),
  config: { origins: ['http://127.0.0.1:7700'] },
});
const { body } = await app.inject({ method: 'GET', url: '/openapi.json' });
const document: unknown = JSON.parse(body);
writeFileSync(new URL('../openapi.json', import.meta.url), `${JSON.stringify(document, null, 2)}\n`);
await app.close();
