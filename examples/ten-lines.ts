// With a server running (npm run waxwing -- serve --dev):
// node --conditions=waxwing-source --import tsx examples/ten-lines.ts

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createClient, generateStoreKey } from '@waxwing/client-core';
const open = () => createClient({ server: 'http://127.0.0.1:7700', store: { path: `${mkdtempSync(`${tmpdir()}/waxwing-`)}/device.db`, key: generateStoreKey() } });
const [alice, bob] = await Promise.all([open(), open()]);
await Promise.all([alice.connect(), bob.connect()]);
const sent = await (await alice.direct(bob.account)).send({ text: 'hello' });
for await (const m of bob.inbox()) { console.log(m.from, m.text); break; }
await sent.reached('delivered');
await Promise.all([alice.close(), bob.close()]);
