// Two people talk, each with one device; both clients are in this process. With a server running:
// node --conditions=waxwing-source --import tsx examples/two-people.ts http://127.0.0.1:7700

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, generateStoreKey, type Client } from '@waxwing/client-core';

const server = process.argv[2] ?? 'http://127.0.0.1:7700';
const folder = mkdtempSync(join(tmpdir(), 'waxwing-two-people-'));

async function open(name: string): Promise<Client> {
  const client = await createClient({ server, store: { path: join(folder, `${name}.db`), key: generateStoreKey() } });
  await client.connect();
  return client;
}

async function receive(client: Client): Promise<string> {
  for await (const message of client.inbox()) return message.text ?? '';
  throw new Error('closed before anything came');
}

const [alice, bob] = await Promise.all([open('alice'), open('bob')]);

const question = await (await alice.direct(bob.account)).send({ text: 'Are you there?' });
console.log(`Bob reads: ${await receive(bob)}`);
const answer = await (await bob.direct(alice.account)).send({ text: 'I am.' });
console.log(`Alice reads: ${await receive(alice)}`);
await Promise.all([question.reached('delivered'), answer.reached('delivered')]);

const history = (await alice.direct(bob.account)).history().getSnapshot();
for (const item of history.items) {
  if (item.kind === 'message') console.log(`${item.from === alice.account ? 'Alice' : 'Bob'}: ${item.text ?? ''}`);
}

await Promise.all([alice.close(), bob.close()]);
rmSync(folder, { recursive: true });
