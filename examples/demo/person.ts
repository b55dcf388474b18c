/**
 * One person's device, a process of its own. It takes commands and tells what happens, a JSON line each.
 *
 * Started with a server, a folder and `new` or `again`. wire.ts has both.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createClient, generateStoreKey, openClient, type SentMessage } from '@waxwing/client-core';
import { readCommand, type Told } from './wire.ts';

const [server = '', folder = '', beginning = 'new'] = process.argv.slice(2);
const tell = (told: Told): void => void process.stdout.write(`${JSON.stringify(told)}\n`);

const keyFile = join(folder, 'device.key');
if (beginning === 'new') writeFileSync(keyFile, generateStoreKey(), { mode: 0o600 });
const store = { path: join(folder, 'device.db'), key: new Uint8Array(readFileSync(keyFile)) };
const client = beginning === 'new' ? await createClient({ server, store }) : await openClient({ store });

function follow(sent: SentMessage): void {
  const look = (): void => tell({ type: 'status', id: sent.id, status: sent.status.getSnapshot().state });
  sent.status.subscribe(look);
  look();
}

async function listen(): Promise<void> {
  for await (const { id, text = '' } of client.inbox()) tell({ type: 'received', id, text });
}

tell({ type: 'here', account: client.account });
void client.connect().then(() => tell({ type: 'online' }));
void listen();

for await (const line of createInterface({ input: process.stdin })) {
  const command = readCommand(line);
  if (command.type === 'quit') break;
  if (command.type === 'history') {
    const conversation = await client.direct(command.with);
    const { items } = conversation.history({ limit: 1_000 }).getSnapshot();
    const shown = items.map((item) =>
      item.kind === 'message'
        ? { id: item.id, text: item.text ?? '', status: item.status.state }
        : { hole: item.kind === 'hole' ? item.reason : item.what },
    );
    tell({ type: 'history', items: shown });
    continue;
  }
  const conversation = await client.direct(command.to);
  follow(await conversation.send({ text: command.text }));
}
await client.close();
process.exit(0);
